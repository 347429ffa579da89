"""Weighted sums, against the authors' ensemble."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gap_mmaction.evaluation import accuracy, fuse_scores, transform_scores

STREAMS = ("joint", "bone", "joint_motion", "bone_motion")


def test_golden_ensemble(shared: Path) -> None:
    golden = np.load(shared / "golden/ensemble.npz")
    fused = fuse_scores([golden[name] for name in STREAMS], golden["weights"])
    np.testing.assert_allclose(fused, golden["fused"], atol=2e-6)
    np.testing.assert_array_equal(fused.argmax(axis=1), golden["prediction"])
    top1, top5, _ = accuracy(fused, golden["labels"])
    assert (top1, top5) == (golden["top1"], golden["top5"])
    two = fuse_scores([golden["joint"], golden["bone"]], [1, 1])
    top1, top5, _ = accuracy(two, golden["labels"])
    assert top1 == golden["top1_joint_bone"]
    assert top5 == golden["top5_joint_bone"]


def test_log_of_probabilities_decides_as_raw_scores() -> None:
    rng = np.random.default_rng(0)
    raw = [rng.normal(size=(50, 10), scale=5) for _ in range(3)]
    soft = [torch.from_numpy(s).softmax(1).float().numpy() for s in raw]
    weights = [0.8, 0.8, 0.2]
    logs = [transform_scores(s, "log", "x") for s in soft]
    expected = np.argsort(fuse_scores(raw, weights), axis=1)
    found = np.argsort(fuse_scores(logs, weights), axis=1)
    np.testing.assert_array_equal(found[:, -5:], expected[:, -5:])
    again = transform_scores(raw[0], "softmax", "x")
    np.testing.assert_allclose(again, soft[0], atol=1e-6)


def test_log_of_zero_is_finite() -> None:
    logs = transform_scores(np.array([[1.0, 0.0]]), "log", "x")
    assert np.isfinite(logs).all()


@pytest.mark.parametrize("scores", [[[0.5, 0.6]], [[1.5, -0.5]]])
def test_log_of_other_scores(scores: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"x\.pkl: the scores are no probabilities"):
        transform_scores(np.array(scores), "log", "x.pkl")


def test_unknown_transform() -> None:
    with pytest.raises(ValueError, match="'square' is none of none, softmax, log"):
        transform_scores(np.zeros((1, 2)), "square", "x")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "1 weights for 2 models"),
        ([1.0, 1.0, 1.0], "3 weights for 2 models"),
        ([0.0, 0.0], "one other than 0"),
        ([1.0, np.nan], "must be finite"),
    ],
)
def test_bad_weights(weights: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fuse_scores([np.zeros((3, 2))] * 2, weights)


def test_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\), \(4, 2\)"):
        fuse_scores([np.zeros((3, 2)), np.zeros((4, 2))], [1, 1])
