"""Folds: stratified, disjoint, seeded, performers kept together."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from gap_mmaction.experiments.folds import make_folds, performers_of, write_folds
from gap_mmaction.utils.restricted_pickle import load_annotations
from tests.experiments.fake_project import write_annotations


def samples(performers: int, classes: int) -> tuple[list[str], list[int]]:
    """Every performer does every class, and those with odd numbers twice."""
    items = [
        (f"S001C001P{performer:03d}R{repetition:03d}A{label + 1:03d}", label)
        for performer in range(1, performers + 1)
        for label in range(classes)
        for repetition in range(1, 2 + performer % 2)
    ]
    return [name for name, _ in items], [label for _, label in items]


def count(folds: np.ndarray, labels: list[int]) -> np.ndarray:
    counts = np.zeros((5, max(labels) + 1))
    np.add.at(counts, (folds, np.array(labels)), 1)
    return counts


def test_performers_stay_together_and_classes_are_shared_out() -> None:
    names, labels = samples(20, 6)
    folds = make_folds(names, labels, 5)
    assert folds.by_performer
    for performer in {name[8:12] for name in names}:
        members = [name[8:12] == performer for name in names]
        assert len(set(folds.of[members])) == 1
    # 30 samples of each class, and 10 performers with two of them, in 5 folds.
    assert (count(folds.of, labels) == 6).all()
    np.testing.assert_array_equal(folds.of, make_folds(names, labels, 5).of)
    assert (folds.of != make_folds(names, labels, 5, seed=1).of).any()


@pytest.mark.parametrize("performers", [3, None])
def test_by_sample(performers: int | None) -> None:
    # Names that do not tell a performer, or too few performers.
    names, labels = samples(performers or 10, 4)
    if performers is None:
        names = [f"video{i}" for i in range(len(names))]
    folds = make_folds(names, labels, 5)
    assert not folds.by_performer
    counts = count(folds.of, labels)
    assert (np.ptp(counts, axis=0) <= 1).all()
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_names_of_performers() -> None:
    assert performers_of(["S001C002P003R002A013"]) == ["003"]
    assert performers_of(["all/a01_s10_e00_v01", "a02_s03_e01_v02"]) == ["10", "03"]
    names = ["a10_s1_t1", "s07_e01_carry", "a09_s02_e03"]
    assert performers_of(names) == ["1", "07", "02"]
    assert performers_of(["a01_s10_e00_v01", "other"]) is None


@pytest.mark.parametrize(
    ("names", "labels", "num_folds", "message"),
    [
        (["a", "b"], [0, 1], 3, "3 folds of 2 samples"),
        (["a", "b"], [0, 1], 1, "1 folds of 2 samples"),
        (["a", "b", "c"], [0, 0, 7], 2, "class 7: all its samples are in fold"),
        (
            ["S001C001P001R001A001", "S001C001P002R001A001", "S001C001P002R001A002"],
            *([0, 0, 1], 2, "class 1: .* of a second performer"),
        ),
    ],
)
def test_folds_that_cannot_be_made(
    names: list[str], labels: list[int], num_folds: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_folds(names, labels, num_folds)


def test_file(tmp_path: Path) -> None:
    source, out = tmp_path / "data.pkl", tmp_path / "new" / "folds.pkl"
    write_annotations(source)
    text = write_folds(source, "xview_train", 5, out)
    assert "5 folds of 200 samples (40, 40, 40, 40, 40; performers stay" in text
    content, original = load_annotations(out), load_annotations(source)
    train = set(original["split"]["xview_train"])
    # Nothing of the test split is in the file at all.
    assert {item["frame_dir"] for item in content["annotations"]} == train
    assert len(content["split"]) == 2 * 5
    tested: list[str] = []
    for fold in range(5):
        val = content["split"][f"fold{fold}_val"]
        assert set(content["split"][f"fold{fold}_train"]) == train - set(val)
        tested += val
    assert sorted(tested) == sorted(train)

    with pytest.raises(ValueError, match="split 'xsub_train', it has xview_train"):
        write_folds(source, "xsub_train", 5, out)
    original["annotations"].append(original["annotations"][0])
    source.write_bytes(pickle.dumps(original))
    with pytest.raises(ValueError, match="1 samples are there twice"):
        write_folds(source, "xview_train", 5, out)
