"""RandomRotation3D and RandomViewRotation."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from gap_mmaction.datasets.transforms import RandomRotation3D, RandomViewRotation
from gap_mmaction.datasets.transforms.coordinates import rotate_3d


def test_rotation_is_the_references(
    golden_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with np.load(golden_folder / "ntu_pipeline.npz") as golden:
        for i in range(3):
            theta = golden[f"rot/{i}/theta"]
            np.testing.assert_allclose(
                rotate_3d(np.eye(3), theta).T, golden[f"rot/{i}/matrix"], atol=1e-6
            )

            uniform = Mock(return_value=theta)
            monkeypatch.setattr(np.random, "uniform", uniform)
            # [C, T, V, M] there, [M, T, V, C] here.
            sample = {"keypoint": golden[f"rot/{i}/input"].transpose(3, 1, 2, 0)}
            out = RandomRotation3D(0.3).transform(sample)["keypoint"]
            uniform.assert_called_once_with(-0.3, 0.3, size=3)
            expected = golden[f"rot/{i}/output"].transpose(3, 1, 2, 0)
            assert out.dtype == np.float32
            np.testing.assert_allclose(out, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("transform", [RandomRotation3D(), RandomViewRotation()])
def test_drawn_for_each_sample_and_the_same_for_all_in_it(transform: Any) -> None:
    body = np.random.default_rng(0).normal(size=(25, 3))
    keypoint = np.tile(body, (3, 4, 1, 1))
    keypoint[2] = 0
    runs = []
    for _ in range(2):
        np.random.seed(3)
        draws = [transform.transform({"keypoint": keypoint}) for _ in range(2)]
        runs.append([draw["keypoint"] for draw in draws])
    np.testing.assert_array_equal(runs[0], runs[1])
    first, second = runs[0]
    assert not np.allclose(first, second) and not np.allclose(first[0], keypoint[0])
    np.testing.assert_allclose(first[:2], np.broadcast_to(first[0, 0], (2, 4, 25, 3)))
    assert not first[2].any()  # who is absent stays so
    half = transform.transform({"keypoint": keypoint.astype(np.float16)})["keypoint"]
    assert half.dtype in (np.float32, np.float64)


def test_within_the_angle() -> None:
    np.random.seed(0)
    unit = {"keypoint": np.eye(3)[None, None]}
    small = RandomRotation3D(max_angle=0.1)
    # Where z turned about y alone ends, on the first axis: sin of y's angle.
    sines = [small.transform(dict(unit))["keypoint"][0, 0, 2, 0] for _ in range(500)]
    assert np.sin(0.09) < np.abs(sines).max() < 0.15
    assert min(sines) < 0 < max(sines)
    whole = RandomViewRotation(max_angle=1)
    drawn = {
        tuple(np.round(whole.transform(dict(unit))["keypoint"][0, 0, 2], 6))
        for _ in range(200)
    }
    assert len(drawn) == 9  # both ends are reached
