"""RandomRotation3D."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gap_mmaction.datasets.transforms import RandomRotation3D
from gap_mmaction.datasets.transforms.random_rotation_3d import (
    rotate_3d,
    rotation_matrix_3d,
)

GOLDEN_CASES = 3


def test_rotation_is_the_references(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with np.load(shared / "golden" / "ntu_pipeline.npz") as golden:
        for i in range(GOLDEN_CASES):
            theta = golden[f"rot/{i}/theta"]
            np.testing.assert_allclose(
                rotation_matrix_3d(theta), golden[f"rot/{i}/matrix"], atol=1e-6
            )

            def uniform(
                low: float, high: float, size: int, theta: np.ndarray = theta
            ) -> np.ndarray:
                assert (low, high, size) == (-0.3, 0.3, 3)
                return theta

            monkeypatch.setattr(np.random, "uniform", uniform)
            # [C, T, V, M] there, [M, T, V, C] here.
            sample = {"keypoint": golden[f"rot/{i}/input"].transpose(3, 1, 2, 0)}
            out = RandomRotation3D(0.3).transform(sample)["keypoint"]
            expected = golden[f"rot/{i}/output"].transpose(3, 1, 2, 0)
            assert out.dtype == np.float32
            np.testing.assert_allclose(out, expected, rtol=0, atol=1e-5)


def test_matrix_is_a_rotation() -> None:
    matrix = rotation_matrix_3d((0.2, -0.3, 0.1))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_allclose(rotation_matrix_3d((0, 0, 0)), np.eye(3))


def test_column_convention() -> None:
    quarter = np.pi / 2
    for theta, start, end in (
        ((quarter, 0, 0), [0.0, 1, 0], [0, 0, -1]),
        ((0, quarter, 0), [0.0, 0, 1], [-1, 0, 0]),
        ((0, 0, quarter), [1.0, 0, 0], [0, -1, 0]),
        # x first, then y, then z
        ((quarter, quarter, 0), [0.0, 1, 0], [1, 0, 0]),
    ):
        np.testing.assert_allclose(rotate_3d(np.array(start), theta), end, atol=1e-12)


def test_frames_and_persons_alike_and_absent_ones_stay() -> None:
    keypoint = np.random.default_rng(0).normal(size=(1, 1, 25, 3))
    keypoint = np.tile(keypoint, (3, 4, 1, 1))
    keypoint[2] = 0
    out = RandomRotation3D().transform({"keypoint": keypoint})["keypoint"]
    np.testing.assert_allclose(out[:2], np.broadcast_to(out[0, 0], out[:2].shape))
    assert not np.allclose(out[0], keypoint[0])
    assert (out[2] == 0).all()


def test_drawn_anew_and_within_the_angle() -> None:
    unit = {"keypoint": np.eye(3)[None, None]}
    transform = RandomRotation3D(max_angle=0.1)
    np.random.seed(0)
    first = [transform.transform(dict(unit))["keypoint"] for _ in range(500)]
    np.random.seed(0)
    again = transform.transform(dict(unit))["keypoint"]
    np.testing.assert_array_equal(first[0], again)
    # Where z turned about y alone ends, on the first axis: sin of y's angle.
    sines = np.array([x[0, 0, 2, 0] for x in first])
    assert np.sin(0.09) < np.abs(sines).max() < 0.15
    assert sines.min() < 0 < sines.max()


def test_half_precision_becomes_single() -> None:
    keypoint = np.ones((1, 2, 25, 3), dtype=np.float16)
    out = RandomRotation3D().transform({"keypoint": keypoint})["keypoint"]
    assert out.dtype == np.float32


@pytest.mark.parametrize("max_angle", [-0.1, 30])
def test_bad_angle(max_angle: float) -> None:
    with pytest.raises(ValueError, match=f"max_angle={max_angle}.*radians"):
        RandomRotation3D(max_angle)


def test_2d_data() -> None:
    sample = {"keypoint": np.ones((1, 2, 17, 2)), "frame_dir": "clip"}
    with pytest.raises(ValueError, match="'clip' has 2 coordinates"):
        RandomRotation3D().transform(sample)
