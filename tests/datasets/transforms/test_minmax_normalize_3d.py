"""MinMaxNormalize3D."""

from __future__ import annotations

import numpy as np

from gap_mmaction.datasets.transforms import MinMaxNormalize3D


def normalize(keypoint: np.ndarray) -> np.ndarray:
    """Run the transform."""
    result = MinMaxNormalize3D().transform({"keypoint": keypoint})
    return np.asarray(result["keypoint"])


def test_every_axis_fills_the_cube() -> None:
    keypoint = np.random.default_rng(0).normal(size=(2, 6, 20, 3)) * [1, 5, 0.1] + 3
    out = normalize(keypoint)
    np.testing.assert_allclose(out.min(axis=(0, 1, 2)), -1)
    np.testing.assert_allclose(out.max(axis=(0, 1, 2)), 1)


def test_constant_axis_becomes_zero() -> None:
    keypoint = np.random.default_rng(0).normal(size=(1, 6, 20, 3))
    keypoint[..., 1] = 2.5
    out = normalize(keypoint)
    assert (out[..., 1] == 0).all()
    assert np.isfinite(out).all()


def test_absent_persons_count_for_nothing() -> None:
    keypoint = np.random.default_rng(0).uniform(5, 6, size=(2, 6, 20, 3))
    keypoint[1] = 0
    out = normalize(keypoint)
    np.testing.assert_allclose(out[:1], normalize(keypoint[:1]))
    assert (out[1] == 0).all()
    assert (normalize(np.zeros((1, 2, 20, 3))) == 0).all()
