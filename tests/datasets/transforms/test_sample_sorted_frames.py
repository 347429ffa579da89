"""SampleSortedFrames, alone and before the stock formatting transforms."""

from __future__ import annotations

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose

from gap_mmaction.datasets.transforms import SampleSortedFrames
from gap_mmaction.datasets.transforms.sample_sorted_frames import (
    draw_frames,
    spread_frames,
)


@pytest.mark.parametrize("num_frames", [1, 2, 30, 52, 201])
def test_drawn_frames(num_frames: int) -> None:
    np.random.seed(0)
    indices = draw_frames(num_frames, 52)
    assert indices.shape == (52,)
    assert (np.diff(indices) >= 0).all()
    assert 0 <= indices[0] <= indices[-1] < num_frames
    assert not np.array_equal(indices, draw_frames(num_frames, 52)) or num_frames == 1
    np.random.seed(0)
    np.testing.assert_array_equal(indices, draw_frames(num_frames, 52))


def test_more_frames_than_a_hundred_copies_hold() -> None:
    assert (draw_frames(1, 250) == 0).all()


def test_frames_are_drawn_evenly() -> None:
    np.random.seed(0)
    counts = np.bincount(
        np.concatenate([draw_frames(8, 52) for _ in range(400)]), minlength=8
    )
    np.testing.assert_allclose(counts / counts.sum(), 1 / 8, atol=0.01)


@pytest.mark.parametrize("num_frames", [1, 2, 30, 52, 201])
def test_spread_frames(num_frames: int) -> None:
    expected = [int(x) for x in np.linspace(0, num_frames - 1, 52)]
    np.testing.assert_array_equal(spread_frames(num_frames, 52), expected)


@pytest.mark.parametrize("test_mode", [False, True])
def test_what_follows_needs_no_decoding(test_mode: bool) -> None:
    sample = {
        "keypoint": np.random.default_rng(0).normal(size=(2, 30, 20, 3)),
        "keypoint_score": np.ones((2, 30, 20)),
        "total_frames": 30,
        "label": 4,
    }
    out = SampleSortedFrames(clip_len=16, test_mode=test_mode).transform(dict(sample))
    assert out["keypoint"].shape == (2, 16, 20, 3)
    assert out["keypoint"].dtype == np.float32
    assert out["keypoint_score"].shape == (2, 16, 20)
    assert (out["total_frames"], out["clip_len"], out["num_clips"]) == (16, 16, 1)
    # A PoseDecode left in a pipeline changes nothing.
    decoded = TRANSFORMS.build({"type": "PoseDecode"}).transform(dict(out))
    np.testing.assert_array_equal(decoded["keypoint"], out["keypoint"])


def test_pipeline_from_config() -> None:
    steps = [
        {"type": "CenterSkeleton", "joint": 1},
        {"type": "RandomViewRotation", "max_angle": 60},
        {"type": "MinMaxNormalize3D"},
        {"type": "SampleSortedFrames", "clip_len": 52},
        {"type": "FormatGCNInput", "num_person": 1},
        {"type": "PackActionInputs"},
    ]
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    packed = pipeline(
        {
            "keypoint": np.random.default_rng(0).normal(size=(1, 9, 20, 3)),
            "total_frames": 9,
            "label": 4,
        }
    )
    assert tuple(packed["inputs"].shape) == (1, 1, 52, 20, 3)
    assert str(packed["inputs"].dtype) == "torch.float32"
    assert packed["data_samples"].gt_label.tolist() == [4]


def test_bad_clip_len() -> None:
    with pytest.raises(ValueError, match="clip_len=0"):
        SampleSortedFrames(clip_len=0)
