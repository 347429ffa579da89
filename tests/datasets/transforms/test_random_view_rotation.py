"""RandomViewRotation."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.datasets.transforms import RandomViewRotation
from gap_mmaction.datasets.transforms.random_view_rotation import (
    rotate,
    rotation_matrix,
)


def test_matrix_is_a_rotation() -> None:
    matrix = rotation_matrix(25, -40)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_allclose(rotation_matrix(0, 0), np.eye(3))


def test_row_convention() -> None:
    # About x: the y axis goes to z; about y: the z axis goes to x.
    np.testing.assert_allclose(
        rotate(np.array([0.0, 1, 0]), 90, 0), [0, 0, 1], atol=1e-12
    )
    np.testing.assert_allclose(
        rotate(np.array([0.0, 0, 1]), 0, 90), [1, 0, 0], atol=1e-12
    )


def test_drawn_anew_and_repeatable() -> None:
    keypoint = np.random.default_rng(0).normal(size=(1, 3, 20, 3))
    transform = RandomViewRotation(max_angle=60)
    runs = []
    for _ in range(2):
        np.random.seed(3)
        draws = [transform.transform({"keypoint": keypoint}) for _ in range(2)]
        runs.append([draw["keypoint"] for draw in draws])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.allclose(runs[0][0], runs[0][1])


def test_angles_reach_both_ends() -> None:
    np.random.seed(0)
    unit = {"keypoint": np.array([[[[0.0, 0, 1]]]])}
    transform = RandomViewRotation(max_angle=1)
    drawn = {
        tuple(np.round(transform.transform(dict(unit))["keypoint"].ravel(), 6))
        for _ in range(200)
    }
    assert len(drawn) == 9


@pytest.mark.parametrize("max_angle", [-1, 0.5])
def test_bad_angle(max_angle: float) -> None:
    with pytest.raises(ValueError, match=f"max_angle={max_angle}"):
        RandomViewRotation(max_angle=max_angle)  # type: ignore[arg-type]


def test_2d_data() -> None:
    sample = {"keypoint": np.ones((1, 2, 17, 2)), "frame_dir": "clip"}
    with pytest.raises(ValueError, match="'clip' has 2 coordinates"):
        RandomViewRotation().transform(sample)
