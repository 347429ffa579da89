"""The NW-UCLA pipeline against golden/nwucla_pipeline.npz, all four streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from gap_mmaction.datasets.transforms import (
    CenterSkeleton,
    MinMaxNormalize3D,
    SampleSortedFrames,
)
from gap_mmaction.datasets.transforms.center_skeleton import center
from gap_mmaction.datasets.transforms.minmax_normalize_3d import minmax_normalize
from gap_mmaction.datasets.transforms.random_view_rotation import rotate
from gap_mmaction.datasets.transforms.sample_sorted_frames import spread_frames
from gap_mmaction.models.data_preprocessors.streams import to_stream
from gap_mmaction.skeletons import get_skeleton

ATOL = 1e-5
STREAMS = ("joint", "bone", "joint-motion", "bone-motion")
BONES = get_skeleton("nw-ucla").bones


@pytest.fixture(scope="module")
def golden(shared: Path) -> Iterator[np.lib.npyio.NpzFile]:
    """The arrays of the reference."""
    with np.load(shared / "golden" / "nwucla_pipeline.npz") as arrays:
        yield arrays


def stream_of(joints: np.ndarray, stream: str) -> np.ndarray:
    """Make a stream the way the data preprocessor does, from float32."""
    batch = torch.from_numpy(joints.astype(np.float32))
    return np.asarray(to_stream(batch, stream, BONES))


@pytest.mark.parametrize("stream", STREAMS)
def test_validation(golden: np.lib.npyio.NpzFile, stream: str) -> None:
    steps = (CenterSkeleton(1), MinMaxNormalize3D(), SampleSortedFrames(test_mode=True))
    for name in golden["names"]:
        # float32, as the annotation file holds them
        raw = golden[f"raw/{name}"].astype(np.float32)[None]
        sample = {"keypoint": raw, "total_frames": raw.shape[1]}
        for step in steps:
            sample = step.transform(sample)
        expected = golden[f"{stream.replace('-', '_')}/{name}"]
        actual = stream_of(sample["keypoint"][0], stream)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=ATOL)


def test_validation_frames(golden: np.lib.npyio.NpzFile) -> None:
    for name in golden["names"]:
        frames = spread_frames(len(golden[f"raw/{name}"]), 52)
        np.testing.assert_array_equal(frames, golden[f"idx/{name}"])


@pytest.mark.parametrize("stream", STREAMS)
def test_training_with_the_drawn_values(
    golden: np.lib.npyio.NpzFile, stream: str
) -> None:
    for i in range(len(golden["train_names"])):
        raw = golden[f"train/{i}/raw"].astype(np.float32)[None]
        angles = golden[f"train/{i}/agx"], golden[f"train/{i}/agy"]
        turned = rotate(center(raw, 1), *map(float, angles))
        clip = minmax_normalize(turned)[:, golden[f"train/{i}/random_idx"]]
        expected = golden[f"train/{i}/{stream.replace('-', '_')}"]
        actual = stream_of(clip[0], stream)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=ATOL)
