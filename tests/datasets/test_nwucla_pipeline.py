"""The NW-UCLA pipeline against golden/nwucla_pipeline.npz, all four streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gap_mmaction.datasets.transforms.coordinates import (
    center,
    minmax_normalize,
    rotate_view,
)
from gap_mmaction.datasets.transforms.frames import spread_frames
from gap_mmaction.models.data_preprocessors.streams import to_stream
from gap_mmaction.skeletons import get_skeleton

BONES = get_skeleton("nw-ucla").bones


Golden = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    with np.load(shared / "golden" / "nwucla_pipeline.npz") as arrays:
        return dict(arrays)


def assert_streams(clip: np.ndarray, golden: Golden, key: str) -> None:
    """Makes the streams the way the data preprocessor does, from float32."""
    batch = torch.from_numpy(clip.astype(np.float32))
    for stream in ("joint", "bone", "joint-motion", "bone-motion"):
        expected = golden[key.format(stream.replace("-", "_"))]
        actual = np.asarray(to_stream(batch, stream, BONES))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_validation(golden: Golden) -> None:
    for name in golden["names"]:
        # float32, as the annotation file holds them
        raw = golden[f"raw/{name}"].astype(np.float32)[None]
        frames = spread_frames(raw.shape[1], 52)
        np.testing.assert_array_equal(frames, golden[f"idx/{name}"])
        clip = minmax_normalize(center(raw, 1))[0, frames]
        assert_streams(clip, golden, f"{{}}/{name}")


def test_training_with_the_drawn_values(golden: Golden) -> None:
    for i in range(len(golden["train_names"])):
        raw = golden[f"train/{i}/raw"].astype(np.float32)[None]
        angles = float(golden[f"train/{i}/agx"]), float(golden[f"train/{i}/agy"])
        clip = minmax_normalize(rotate_view(center(raw, 1), *angles))
        frames = golden[f"train/{i}/random_idx"]
        assert_streams(clip[0, frames], golden, f"train/{i}/{{}}")
