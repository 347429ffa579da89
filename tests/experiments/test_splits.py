"""Folds, which classes are unseen, and data without them."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.experiments.annotation_splits import (
    make_folds,
    performers_of,
    write_folds,
)
from gap_mmaction.experiments.zero_shot.unseen_classes import (
    ClassSplit,
    ZeroShotConfigs,
    draw_splits,
)
from gap_mmaction.models.text.descriptions import load_descriptions
from gap_mmaction.utils.restricted_pickle import load_annotations
from tests.config_files import ROOT
from tests.experiments.fake_project import write_annotations

CONFIG = ROOT / "configs" / "gap" / "ctrgcn_nwucla_cpu.py"
SPLIT = ClassSplit(10, (0, 3, 9))


def samples(performers: int, classes: int) -> tuple[list[str], list[int]]:
    """Names samples: performers do every class, and those with odd numbers twice."""
    names = [
        f"S001C001P{performer:03d}R{repetition:03d}A{label:03d}"
        for performer in range(1, performers + 1)
        for label in range(classes)
        for repetition in range(1, 2 + performer % 2)
    ]
    return names, [int(name[-3:]) for name in names]


def count(folds: np.ndarray, labels: list[int]) -> np.ndarray:
    counts = np.zeros((5, max(labels) + 1))
    np.add.at(counts, (folds, np.array(labels)), 1)
    return counts


def test_performers_stay_together_and_classes_are_shared_out() -> None:
    names, labels = samples(20, 6)
    folds = make_folds(names, labels, 5)
    assert folds.by_performer
    pairs = {(name[8:12], fold) for name, fold in zip(names, folds.of.tolist())}
    assert len(pairs) == 20
    # 30 samples of each class, and 10 performers with two of them, in 5 folds.
    assert (count(folds.of, labels) == 6).all()
    assert (folds.of == make_folds(names, labels, 5).of).all()
    assert (folds.of != make_folds(names, labels, 5, seed=1).of).any()


def test_by_sample_and_names_of_performers() -> None:
    # Too few performers, or names that do not tell them.
    names, labels = samples(3, 4)
    for known in (names, list("x" * len(names))):
        folds = make_folds(known, labels, 5)
        assert not folds.by_performer
        counts = count(folds.of, labels)
        assert (np.ptp(counts, axis=0) <= 1).all() and np.ptp(counts.sum(axis=1)) <= 1
    # Which name has a performer.
    names = ["all/a01_s10_e00_v01", "a10_s1_t1", "s07_e01_carry", "a09_s02_e03"]
    assert performers_of(names) == ["10", "1", "07", "02"]
    assert performers_of(["a01_s10_e00_v01", "other"]) is None


@pytest.mark.parametrize(
    ("names", "labels", "num_folds", "message"),
    [
        ("ab", [0, 1], 1, "1 folds of 2 samples"),
        ("ab", [0, 1], 3, "3 folds of 2 samples"),
        ("abc", [0, 0, 7], 2, "class 7: all its samples are in fold"),
        (("s1_t1", "s2_t1", "s2_t2"), [0, 0, 1], 2, "class 1: .* second performer"),
    ],
)
def test_folds_that_cannot_be_made(
    names: Sequence[str], labels: list[int], num_folds: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_folds(list(names), labels, num_folds)


def test_file_of_folds(tmp_path: Path) -> None:
    source, out = tmp_path / "data.pkl", tmp_path / "new" / "folds.pkl"
    write_annotations(source)
    write_folds(source, "xview_train", 5, out)
    content, original = load_annotations(out), load_annotations(source)
    train = set(original["split"]["xview_train"])
    # Nothing of the test split is in the file at all.
    assert {item["frame_dir"] for item in content["annotations"]} == train
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


def test_classes() -> None:
    split = ClassSplit(6, (4, 1))
    assert (split.unseen, split.seen) == ((1, 4), (0, 2, 3, 5))
    assert split.is_seen.tolist() == [True, False, True, True, False, True]
    ones, few = "different ones of 0 to 5", "at least 2 must be unseen and 2 seen"
    wrong = {(1, 6): ones, (1, -1): ones, (1, 1): ones, (0,): few, (0, 1, 2, 3, 4): few}
    for unseen, message in wrong.items():
        with pytest.raises(ValueError, match=message):
            ClassSplit(6, unseen)

    splits = draw_splits(10, 3, 3, seed=0)
    chosen = list(itertools.chain(*(split.unseen for split in splits)))
    assert len(set(chosen)) == 9
    # More of them begin with the same ones.
    assert draw_splits(10, 7, 3, seed=0)[:3] == splits
    assert draw_splits(10, 3, 3, seed=1) != splits
    assert len(set(draw_splits(5, 10, 2))) == 10
    with pytest.raises(ValueError, match="there are 10"):
        draw_splits(5, 11, 2)


def make(folder: Path, split: ClassSplit = SPLIT, num_folds: int = 5) -> Any:
    """Returns the settings of a training on ``nwucla.pkl``, and its annotations."""
    configs = ZeroShotConfigs(CONFIG, folder / "nwucla.pkl", num_folds=num_folds)
    config, annotations = configs.make(split, folder / "d")
    return config.settings, annotations


def test_nothing_of_the_unseen_classes(tmp_path: Path) -> None:
    source = tmp_path / "nwucla.pkl"
    write_annotations(source)
    whole = load_annotations(source)
    # Labels of converted files are numpy's.
    for item in whole["annotations"]:
        item["label"] = np.int64(item["label"])
    source.write_bytes(pickle.dumps(whole))
    settings, annotations = make(tmp_path)
    content = load_annotations(annotations)
    labels = {item["frame_dir"]: item["label"] for item in whole["annotations"]}
    train, held_out = (set(content["split"][s]) for s in ("train", "held_out"))
    found = {item["frame_dir"]: item["label"] for item in content["annotations"]}
    assert not train & held_out
    assert train | held_out == set(found)
    # All of the training split's clips of seen classes, with labels in a row.
    assert found == {
        name: SPLIT.seen.index(labels[name])
        for name in whole["split"]["xview_train"]
        if labels[name] not in SPLIT.unseen
    }
    # Two of ten performers, of whom nothing is trained on.
    performers = {name[4:7] for name in held_out}
    assert len(performers) == 2
    assert not performers & {name[4:7] for name in train}

    texts = load_descriptions(settings.model.text_branch.prompts.descriptions)
    all_texts = load_descriptions(ROOT / "data" / "descriptions" / "nwucla.yaml")
    # The fields that the file includes from another one are there as well.
    assert [t.fields for t in texts] == [all_texts[c].fields for c in SPLIT.seen]
    assert "hake" in texts[0].fields


def test_other_sources_make_other_files(tmp_path: Path) -> None:
    write_annotations(tmp_path / "nwucla.pkl")
    _, first = make(tmp_path)
    written = first.stat().st_mtime_ns
    assert make(tmp_path)[1] == first
    assert first.stat().st_mtime_ns == written
    assert make(tmp_path, num_folds=4)[1] != first
    write_annotations(tmp_path / "nwucla.pkl", performers=9)
    assert make(tmp_path)[1] != first


def test_texts_and_epochs_are_those_asked_for(tmp_path: Path) -> None:
    write_annotations(tmp_path / "nwucla.pkl")
    names = set()
    for word in ("walk", "stroll"):
        configs = ZeroShotConfigs(CONFIG, tmp_path / "nwucla.pkl", epochs=2)
        texts = configs.descriptions.read_text("utf-8")
        configs.descriptions = tmp_path / word / "texts.yaml"
        configs.descriptions.parent.mkdir()
        texts = texts.replace("include: nwucla_hake.yaml\n", "")
        configs.descriptions.write_text(texts.replace("one hand", word))
        made = configs.make(SPLIT, tmp_path)[0].settings
        names.add(made.model.text_branch.prompts.descriptions)
    assert len(names) == 2
    options = {"train_cfg.max_epochs": 8}
    configs = ZeroShotConfigs(CONFIG, tmp_path / "nwucla.pkl", 2, options, 5)
    with pytest.raises(ValueError, match=r"train_cfg\.max_epochs.*--epochs"):
        configs.make(SPLIT, tmp_path)


def test_errors(tmp_path: Path) -> None:
    for num_classes, classes, message in (
        *((10, 9, "no clip of class 9"), (4, 10, "label=4 is no class, 0 to 3")),
        (9, 9, "describes 10 classes"),
    ):
        write_annotations(tmp_path / "nwucla.pkl", classes=classes)
        with pytest.raises(ValueError, match=message):
            make(tmp_path, ClassSplit(num_classes, (0, 3)))
