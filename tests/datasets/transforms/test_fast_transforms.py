"""The fast transforms against the stock ones they stand for."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from mmaction.datasets.transforms import PreNormalize3D, UniformSampleFrames

from gap_mmaction.datasets.transforms import (
    FastPreNormalize3D,
    FastUniformSampleFrames,
)


def _keypoint(seed: int, persons: int = 2, frames: int = 40, joints: int = 25) -> Any:
    rng = np.random.default_rng(seed)
    walk = rng.normal(size=(persons, frames, 1, 3)).cumsum(1) * 0.1
    body = rng.normal(size=(persons, 1, joints, 3))
    noise = rng.normal(size=(persons, frames, joints, 3)) * 0.02
    return (walk + body + noise).astype(np.float32)


def _both(keypoint: Any, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    sample = dict(keypoint=keypoint, total_frames=keypoint.shape[1])
    fast = FastPreNormalize3D(**options)(copy.deepcopy(sample))
    options.pop("layout", None)  # the stock one has NTU's alone
    return PreNormalize3D(**options)(copy.deepcopy(sample)), fast


def _assert_same(keypoint: Any, **options: Any) -> None:
    stock, fast = _both(keypoint, **options)
    np.testing.assert_equal(fast, stock)
    assert stock["keypoint"].dtype == fast["keypoint"].dtype


def _cases() -> Iterator[np.ndarray]:
    for seed in range(20):
        yield from (_keypoint(seed), _keypoint(seed, persons=1))
    yield from (_keypoint(3).astype(dtype) for dtype in (np.float16, np.float64))
    absent = _keypoint(0)
    absent[1, 10:] = 0
    yield absent.copy()
    absent[0, :25] = 0  # the second is present longer: it comes first
    absent[1, 10:35] = 1e-9
    yield from (absent.copy(), absent[::-1].copy())
    absent[1] = 0
    yield from (absent, absent[::-1], absent[:1], np.zeros_like(absent))
    no_joints = _keypoint(1)
    no_joints[:, ::3, 4:9] = 0
    no_joints[:, 1::3, 2, 1] = 0
    yield no_joints
    upright = _keypoint(6)
    upright[0, 0, [0, 1, 8, 4]] = [[0, 0, 0], [0, 0, 0.5], [0.25, 0, 1], [-0.25, 0, 1]]
    yield upright


def test_same_to_the_last_bit() -> None:
    for keypoint in _cases():
        _assert_same(keypoint)
    for joints in (17, 20):
        _assert_same(_keypoint(0, joints=joints), zaxis=[0, 2], xaxis=[5, 9])
    for spine, shoulder in itertools.product((True, False), repeat=2):
        _assert_same(_keypoint(5), align_spine=spine, align_shoulder=shoulder)


def test_at_the_tolerance() -> None:
    keypoint = _keypoint(2, persons=1, frames=6)
    limit = np.float32(1e-8)
    keypoint[0, 1] = limit
    keypoint[0, 2] = np.nextafter(limit, np.float32(0))
    keypoint[0, 3] = np.nextafter(limit, limit * 2)
    assert 3 <= _both(keypoint)[0]["total_frames"] < 6
    _assert_same(keypoint)
    nobody = dict(keypoint=np.full((1, 4, 25, 3), 1e-9), frame_dir="a01")
    with pytest.raises(ValueError, match=r"nobody in 'a01'.*metres"):
        FastPreNormalize3D()(nobody)


def test_joints_of_the_layout() -> None:
    body = _keypoint(0, persons=1, joints=11)
    layout = dict(num_node=11, inward=[(i, 0) for i in range(1, 11)], center=0)
    layout |= dict(spine=[0, 7], shoulders=[2, 5])
    named, ours = (
        transform(dict(keypoint=body))["keypoint"]
        for transform in (
            FastPreNormalize3D(layout=layout),
            FastPreNormalize3D([0, 7], [2, 5]),
        )
    )
    np.testing.assert_allclose(named, ours - ours[0, 0, 7], atol=1e-6)
    _assert_same(_keypoint(0), layout="nturgb+d")


def test_without_centering() -> None:
    # The stock transform fails here: it reports a centre that it has not taken.
    keypoint, before = _keypoint(8), _keypoint(8)
    fast = FastPreNormalize3D(align_center=False, align_shoulder=False)
    moved = fast(dict(keypoint=keypoint, total_frames=40))["keypoint"]
    np.testing.assert_array_equal(keypoint, before)  # the input stays
    spine = moved[0, 0, 1] - moved[0, 0, 0]
    np.testing.assert_allclose(spine[:2], 0, atol=1e-6)
    length = np.linalg.norm(keypoint, axis=-1)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=-1), length, rtol=1e-5)


@pytest.mark.parametrize("num_frames", [1, 7, 16, 20, 31, 32, 300])
@pytest.mark.parametrize("test_mode", [False, True])
@pytest.mark.parametrize("num_clips", [1, 3])
def test_frames_are_the_same_draws(
    num_frames: int, test_mode: bool, num_clips: int
) -> None:
    sample = dict(keypoint=_keypoint(3, frames=num_frames), total_frames=num_frames)
    sample["keypoint"][1, num_frames // 2 :] = 0
    options = dict(clip_len=16, num_clips=num_clips, test_mode=test_mode)
    results = []
    for kind in (UniformSampleFrames, FastUniformSampleFrames):
        np.random.seed(5)
        results.append((kind(**options)(dict(sample)), np.random.random()))
    np.testing.assert_equal(results[0], results[1])
    stock, fast = (found["frame_inds"] for found, _ in results)
    assert stock.dtype == fast.dtype
