"""Dumps of test runs, good and bad."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.evaluation import AccMetric
from mmengine.fileio import load

from gap_mmaction.evaluation import load_scores, write_scores
from tests.evaluation.score_files import dump, noisy_scores

LABELS = np.array([0, 2, 1, 1])
SCORES = noisy_scores(LABELS, 3, np.random.default_rng(0))


def write(path: Path, content: Any) -> str:
    path.write_bytes(pickle.dumps(content))
    return str(path)


def samples(**change: Any) -> list[dict[str, Any]]:
    """Four samples; the third is changed, where None takes a key out."""
    items = [
        {"pred_score": torch.from_numpy(s), "gt_label": torch.tensor([int(label)])}
        for s, label in zip(SCORES, LABELS)
    ]
    items[2] = {k: v for k, v in {**items[2], **change}.items() if v is not None}
    return items


@pytest.mark.parametrize("ids", [None, ["a", "b", "c", "d"]])
def test_a_dump_of_mmengine(tmp_path: Path, ids: list[str] | None) -> None:
    file = load_scores(dump(tmp_path / "a.pkl", SCORES, LABELS, ids))
    assert file.scores.dtype == np.float64
    np.testing.assert_array_equal(file.scores, SCORES)
    np.testing.assert_array_equal(file.labels, LABELS)
    assert file.sample_ids == ids


def test_written_scores_are_a_dump(tmp_path: Path) -> None:
    path = tmp_path / "new" / "fused.pkl"
    names = ["a", "b", "c", "d"]
    write_scores(path, SCORES.astype(np.float64), LABELS, names)
    file = load_scores(path)
    np.testing.assert_array_equal(file.scores, SCORES)
    assert file.sample_ids == names
    # As mmaction2's tools/analysis_tools/eval_metric.py takes it.
    metric = AccMetric()
    metric.process([], load(str(path)))
    expected = (SCORES.argmax(axis=1) == LABELS).mean()
    assert metric.compute_metrics(metric.results)["top1"] == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": 1}, "holds a dict"),
        ([1], "sample 0 is a int"),
        (samples(gt_label=None), r"sample 2 has no 'gt_label' \(only \['pred_score'\]"),
        (samples(pred_score=torch.zeros(1, 3)), r"sample 2.*of shape \[1, 3\].*clips"),
        (samples(pred_score={"rgb": torch.zeros(3)}), "sample 2.*is a dict"),
        (samples(pred_score=torch.zeros(4)), "sample 2 has scores of 4 classes"),
        (samples(gt_label=torch.tensor([3])), r"sample 2: 'gt_label' .*3.*0 to 2"),
        (samples(gt_label=-1), "sample 2: 'gt_label' is -1"),
        (samples(pred_score=torch.tensor([np.inf, 0, 1])), "is inf, and 1 of 4"),
    ],
)
def test_bad_content_is_named(content: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "bad.pkl", content)
    with pytest.raises(ValueError, match=message) as caught:
        load_scores(path)
    assert str(caught.value).startswith(path)


def test_no_file_and_no_pickle(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pkl: .*--dump"):
        load_scores(tmp_path / "none.pkl")
    twice = dump(tmp_path / "b.pkl", SCORES, LABELS, ["w", "x", "y", "x"])
    with pytest.raises(ValueError, match=r"b\.pkl: 'x' is there 2 times"):
        load_scores(twice)
    path = Path(dump(tmp_path / "a.pkl", SCORES, LABELS))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(pickle.UnpicklingError, match=r"a\.pkl.*--dump.*cut short"):
        load_scores(path)
