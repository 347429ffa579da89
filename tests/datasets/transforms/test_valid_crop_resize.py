"""ValidCropResize."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gap_mmaction.datasets.transforms import ValidCropResize
from gap_mmaction.datasets.transforms.valid_crop_resize import (
    crop_center,
    crop_random,
    resize_frames,
)


def to_keypoint(feeder: np.ndarray) -> np.ndarray:
    """Turn the feeder's ``[C, T, V, M]`` into ``[M, T, V, C]``."""
    return feeder.transpose(3, 1, 2, 0)


def test_testing_is_the_references(shared: Path) -> None:
    with np.load(shared / "golden" / "ntu_pipeline.npz") as golden:
        share = float(golden["test/p_interval"][0])
        transform = ValidCropResize(int(golden["test/window"]), (share,))
        for i, frames in enumerate(golden["test/valid_frames"]):
            start, end = crop_center(int(frames), share)
            assert start == golden[f"test/{i}/bias"]
            assert end - start == golden[f"test/{i}/cropped_length"]
            sample = {"keypoint": to_keypoint(golden[f"test/{i}/input"])}
            out = transform.transform(sample)["keypoint"]
            expected = to_keypoint(golden[f"test/{i}/output"])
            assert out.dtype == np.float32
            np.testing.assert_allclose(out, expected, rtol=0, atol=1e-5)


def test_training_is_the_references(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with np.load(shared / "golden" / "ntu_pipeline.npz") as golden:
        for i, frames in enumerate(golden["train/valid_frames"]):
            length = int(golden[f"train/{i}/cropped_length"])
            bias = int(golden[f"train/{i}/bias"])
            asked: list[Any] = []

            def rand(
                *size: int,
                share: float = float(golden[f"train/{i}/p"]),
                asked: list[Any] = asked,
            ) -> np.ndarray:
                asked.append(size)
                return np.full(size, (share - 0.5) / 0.5)

            def randint(
                low: int, high: int, bias: int = bias, asked: list[Any] = asked
            ) -> int:
                asked.append((low, high))
                return bias

            monkeypatch.setattr(np.random, "rand", rand)
            monkeypatch.setattr(np.random, "randint", randint)
            sample = {"keypoint": to_keypoint(golden[f"train/{i}/input"])}
            out = ValidCropResize(64, (0.5, 1.0)).transform(sample)["keypoint"]
            # In this order, and from so many places.
            assert asked == [(1,), (0, frames - length + 1)]
            expected = to_keypoint(golden[f"train/{i}/output"])
            np.testing.assert_allclose(out, expected, rtol=0, atol=1e-5)


def test_empty_frames_within_cost_real_ones_at_the_end(shared: Path) -> None:
    with np.load(shared / "golden" / "ntu_pipeline.npz") as golden:
        inputs, joints = golden["feeder/input"], golden["feeder/joint"]
        counts = golden["feeder/valid_frame_num"]
    occupied = [np.flatnonzero(x.any(axis=(0, 2, 3))) for x in inputs]
    assert any(frames[-1] + 1 > count for frames, count in zip(occupied, counts))
    for x, expected in zip(inputs, joints):
        out = ValidCropResize().transform({"keypoint": to_keypoint(x)})["keypoint"]
        np.testing.assert_allclose(out, to_keypoint(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 31, 64, 65, 300])
def test_interpolation_is_torchs(frames: int) -> None:
    values = np.random.default_rng(frames).normal(size=(2, frames, 5, 3))
    flat = torch.from_numpy(values.transpose(0, 2, 3, 1).reshape(2, 15, frames))
    expected = F.interpolate(flat, 64, mode="linear", align_corners=False)
    out = resize_frames(values, 64)
    actual = out.transpose(0, 2, 3, 1).reshape(2, 15, 64)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_random_spans() -> None:
    np.random.seed(0)
    spans = np.array([crop_random(200, 64, 0.25, 0.75) for _ in range(2000)])
    lengths = spans[:, 1] - spans[:, 0]
    # Never shorter than the clip, though a quarter of 200 frames is.
    assert (lengths.min(), lengths.max()) == (64, 149)
    assert spans[:, 0].min() == 0 and spans[:, 1].max() == 200
    assert [crop_random(40, 64, 0.5, 1.0) for _ in range(5)] == [(0, 40)] * 5


def test_drawn_anew_and_repeatable() -> None:
    keypoint = np.random.default_rng(0).normal(size=(1, 150, 5, 3))
    transform = ValidCropResize(32, (0.5, 1.0))
    runs = []
    for _ in range(2):
        np.random.seed(3)
        draws = [transform.transform({"keypoint": keypoint}) for _ in range(2)]
        runs.append([draw["keypoint"] for draw in draws])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.allclose(runs[0][0], runs[0][1])


def test_keys_and_scores() -> None:
    keypoint = np.random.default_rng(0).normal(size=(2, 90, 17, 2))
    # Scores that are one of the coordinates must come out as it does.
    sample = {"keypoint": keypoint, "keypoint_score": keypoint[..., 0]}
    out = ValidCropResize(8).transform({**sample, "total_frames": 90})
    assert out["keypoint"].shape == (2, 8, 17, 2)
    np.testing.assert_array_equal(out["keypoint_score"], out["keypoint"][..., 0])
    assert (out["total_frames"], out["clip_len"], out["num_clips"]) == (8, 8, 1)
    assert "frame_inds" not in out


@pytest.mark.parametrize("is_first", [False, True])
def test_padding_is_left_out(is_first: bool) -> None:
    keypoint = np.random.default_rng(0).normal(size=(2, 50, 25, 3))
    both = [keypoint, np.zeros((2, 60, 25, 3))]
    padded = np.concatenate(both[::-1] if is_first else both, axis=1)
    outputs = [
        ValidCropResize().transform({"keypoint": x})["keypoint"]
        for x in (keypoint, padded)
    ]
    np.testing.assert_array_equal(*outputs)


def test_half_precision_annotation() -> None:
    keypoint = np.random.default_rng(0).normal(size=(1, 50, 25, 3)).astype(np.float16)
    outputs = [
        ValidCropResize().transform({"keypoint": x})["keypoint"]
        for x in (keypoint, keypoint.astype(np.float64))
    ]
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"clip_len": 0}, "clip_len=0"),
        ({"p_interval": ()}, r"p_interval=\(\)"),
        ({"p_interval": (0.5, 0.8, 1.0)}, r"p_interval=\(0.5, 0.8, 1.0\)"),
        ({"p_interval": (1.0, 0.5)}, "the smallest and the largest"),
        ({"p_interval": (0.0,)}, r"in \(0, 1\]"),
        ({"p_interval": (0.5, 1.5)}, r"in \(0, 1\]"),
    ],
)
def test_bad_arguments(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ValidCropResize(**kwargs)


def test_sequence_without_anybody() -> None:
    sample = {"keypoint": np.zeros((1, 4, 25, 3)), "frame_dir": "S001"}
    with pytest.raises(ValueError, match=r"'S001'.*nobody is there"):
        ValidCropResize().transform(sample)
