"""SampleSortedFrames and ValidCropResize."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS

from gap_mmaction.datasets.transforms import SampleSortedFrames, ValidCropResize
from gap_mmaction.datasets.transforms.frames import (
    crop_random,
    draw_frames,
    spread_frames,
)


@pytest.mark.parametrize("num_frames", [1, 30, 201])
def test_drawn_and_spread_frames(num_frames: int) -> None:
    np.random.seed(0)
    indices = draw_frames(num_frames, 52)
    assert indices.shape == (52,)
    assert (np.diff(indices) >= 0).all()
    assert 0 <= indices[0] <= indices[-1] < num_frames
    assert not np.array_equal(indices, draw_frames(num_frames, 52)) or num_frames == 1
    expected = [int(x) for x in np.linspace(0, num_frames - 1, 52)]
    np.testing.assert_array_equal(spread_frames(num_frames, 52), expected)


def test_frames_are_drawn_evenly() -> None:
    np.random.seed(0)
    draws = np.concatenate([draw_frames(8, 52) for _ in range(400)])
    counts = np.bincount(draws, minlength=8)
    np.testing.assert_allclose(counts / counts.sum(), 1 / 8, atol=0.01)
    # Also where a hundred copies hold fewer frames than the clip.
    assert not draw_frames(1, 250).any()


@pytest.mark.parametrize("transform", [SampleSortedFrames(16), ValidCropResize(16)])
def test_keys_and_scores(transform: Any) -> None:
    keypoint = np.random.default_rng(0).normal(size=(2, 30, 20, 3))
    # Scores that are one of the coordinates must come out as it does.
    sample = {"keypoint": keypoint, "keypoint_score": keypoint[..., 0]}
    out = transform.transform({**sample, "total_frames": 30})
    assert out["keypoint"].shape == (2, 16, 20, 3)
    assert out["keypoint"].dtype == np.float32
    np.testing.assert_array_equal(out["keypoint_score"], out["keypoint"][..., 0])
    assert (out["total_frames"], out["clip_len"], out["num_clips"]) == (16, 16, 1)
    # A PoseDecode left in a pipeline changes nothing.
    decoded = TRANSFORMS.build({"type": "PoseDecode"}).transform(dict(out))
    np.testing.assert_array_equal(decoded["keypoint"], out["keypoint"])


def crop(keypoint: np.ndarray, *options: Any) -> np.ndarray:
    result = ValidCropResize(*options).transform({"keypoint": keypoint})
    return np.asarray(result["keypoint"])


def assert_same(before: np.ndarray, after: np.ndarray, *options: Any) -> None:
    """Compares with the feeder, which has ``[C, T, V, M]`` for ``[M, T, V, C]``."""
    found = crop(before.transpose(3, 1, 2, 0), *options)
    np.testing.assert_allclose(found, after.transpose(3, 1, 2, 0), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def golden(golden_folder: Path) -> dict[str, np.ndarray]:
    """What the feeder of the reference makes."""
    with np.load(golden_folder / "ntu_pipeline.npz") as arrays:
        return dict(arrays)


def test_testing_is_the_references(golden: dict[str, np.ndarray]) -> None:
    share, window = float(golden["test/p_interval"][0]), int(golden["test/window"])
    for i in range(len(golden["test/valid_frames"])):
        pair = golden[f"test/{i}/input"], golden[f"test/{i}/output"]
        assert_same(*pair, window, (share,))


def test_training_is_the_references(
    golden: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    for i, frames in enumerate(golden["train/valid_frames"]):
        share = np.array([(float(golden[f"train/{i}/p"]) - 0.5) / 0.5])
        randint = Mock(return_value=int(golden[f"train/{i}/bias"]))
        monkeypatch.setattr(np.random, "rand", Mock(return_value=share))
        monkeypatch.setattr(np.random, "randint", randint)
        pair = golden[f"train/{i}/input"], golden[f"train/{i}/output"]
        assert_same(*pair, 64, (0.5, 1.0))
        # From so many places.
        length = int(golden[f"train/{i}/cropped_length"])
        randint.assert_called_once_with(0, frames - length + 1)


def test_empty_frames_within_cost_real_ones_at_the_end(
    golden: dict[str, np.ndarray],
) -> None:
    counts = golden["feeder/valid_frame_num"]
    occupied = [np.flatnonzero(x.any(axis=(0, 2, 3))) for x in golden["feeder/input"]]
    assert any(frames[-1] + 1 > count for frames, count in zip(occupied, counts))
    for x, expected in zip(golden["feeder/input"], golden["feeder/joint"]):
        assert_same(x, expected)


def test_random_spans() -> None:
    np.random.seed(0)
    spans = np.array([crop_random(200, 64, 0.25, 0.75) for _ in range(2000)])
    lengths = spans[:, 1] - spans[:, 0]
    # Never shorter than the clip, though a quarter of 200 frames is.
    assert (lengths.min(), lengths.max()) == (64, 149)
    assert spans[:, 0].min() == 0 and spans[:, 1].max() == 200
    assert [crop_random(40, 64, 0.5, 1.0) for _ in range(5)] == [(0, 40)] * 5


@pytest.mark.parametrize("is_first", [False, True])
def test_padding_is_left_out(is_first: bool) -> None:
    keypoint = np.random.default_rng(0).normal(size=(2, 50, 25, 3))
    both = [keypoint, np.zeros((2, 60, 25, 3))]
    padded = np.concatenate(both[::-1] if is_first else both, axis=1)
    np.testing.assert_array_equal(crop(keypoint), crop(padded))
    half = keypoint.astype(np.float16)
    np.testing.assert_array_equal(crop(half), crop(half.astype(np.float64)))
    sample = {"keypoint": np.zeros((1, 4, 25, 3)), "frame_dir": "S001"}
    with pytest.raises(ValueError, match=r"'S001'.*nobody is there"):
        ValidCropResize().transform(sample)
