"""Transforms that move, scale and turn, and bad arguments of all transforms."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from mmaction.datasets.transforms import PreNormalize2D
from mmaction.registry import TRANSFORMS

from gap_mmaction.datasets.transforms import (
    CenterSkeleton,
    MaskedPreNormalize2D,
    MinMaxNormalize3D,
    RandomRotation3D,
    RandomViewRotation,
)
from gap_mmaction.datasets.transforms.coordinates import rotate_3d, rotate_view


def apply(transform: Any, keypoint: np.ndarray) -> np.ndarray:
    return np.asarray(transform.transform({"keypoint": keypoint.copy()})["keypoint"])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def scaled(keypoint: np.ndarray) -> np.ndarray:
    return apply(MinMaxNormalize3D(), keypoint)


def test_nwucla_training_is_the_references(shared: Path) -> None:
    with np.load(shared / "golden" / "nwucla_pipeline.npz") as golden:
        for i in range(len(golden["train_names"])):
            # float32, as the annotation file holds them
            raw = golden[f"train/{i}/raw"].astype(np.float32)[None]
            angles = float(golden[f"train/{i}/agx"]), float(golden[f"train/{i}/agy"])
            clip = scaled(rotate_view(apply(CenterSkeleton(), raw), *angles))
            found = clip[0, golden[f"train/{i}/random_idx"]]
            expected = golden[f"train/{i}/joint"]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_joint_of_the_first_person_is_the_origin() -> None:
    keypoint = noise(2, 6, 20, 3).astype(np.float32)
    out = apply(CenterSkeleton(joint="spine", layout="nw-ucla"), keypoint)
    origin = keypoint[0, 0, 1].astype(np.float64)
    np.testing.assert_allclose(out, keypoint - origin, atol=1e-12)
    assert out.dtype == np.float64
    # Also where another one comes first.
    keypoint[0, :2] = 0
    out = apply(CenterSkeleton(), keypoint)
    np.testing.assert_allclose(out[1], keypoint[1] - keypoint[0, 2, 1], atol=1e-6)
    assert not out[0, :2].any() and not out[0, 2, 1].any()
    # Unless there is no first person at all, who stays at zero.
    keypoint[0] = 0
    out = apply(CenterSkeleton(), keypoint)
    assert not out[1, 0, 1].any() and not out[0].any()


def test_ntu_is_the_references_and_prepared_data_stays(golden_folder: Path) -> None:
    with np.load(golden_folder / "ntu_raw" / "expected.npz") as golden:
        for name in golden["names"]:
            before, after = (
                golden[f"{kind}/{name}"].reshape(-1, 2, 25, 3).swapaxes(0, 1)
                for kind in ("denoised", "translated")
            )
            moved = apply(CenterSkeleton(), before)
            np.testing.assert_allclose(moved, after, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(apply(CenterSkeleton(), after), after)


def test_every_axis_fills_the_cube() -> None:
    keypoint = noise(2, 6, 20, 3) * [1, 5, 0.1] + 3
    out = scaled(keypoint)
    np.testing.assert_allclose(out.min(axis=(0, 1, 2)), -1)
    np.testing.assert_allclose(out.max(axis=(0, 1, 2)), 1)
    keypoint[..., 1] = 2.5  # an axis without extent
    assert not scaled(keypoint)[..., 1].any()
    keypoint[1] = 0  # who is absent counts for nothing
    out = scaled(keypoint)
    np.testing.assert_allclose(out[:1], scaled(keypoint[:1]))
    assert not out[1].any() and not scaled(keypoint[1:]).any()


def test_picture_of_those_who_are_there() -> None:
    keypoint = np.random.default_rng(0).uniform(1, 480, (2, 6, 17, 2))
    keypoint[1, 2:] = 0
    stock, ours = (
        apply(kind(img_shape=(480, 640)), keypoint)
        for kind in (PreNormalize2D, MaskedPreNormalize2D)
    )
    assert (stock[1, 2:] == -1).all()
    stock[1, 2:] = 0
    np.testing.assert_array_equal(ours, stock)


def test_ntu_rotation_is_the_references(
    golden_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with np.load(golden_folder / "ntu_pipeline.npz") as golden:
        for i in range(3):
            theta, matrix = golden[f"rot/{i}/theta"], golden[f"rot/{i}/matrix"]
            np.testing.assert_allclose(rotate_3d(np.eye(3), theta).T, matrix, atol=1e-6)
            monkeypatch.setattr(np.random, "uniform", Mock(return_value=theta))
            # [C, T, V, M] there, [M, T, V, C] here.
            before, after = (
                golden[f"rot/{i}/{kind}"].transpose(3, 1, 2, 0)
                for kind in ("input", "output")
            )
            out = apply(RandomRotation3D(0.3), before)
            assert out.dtype == np.float32
            np.testing.assert_allclose(out, after, rtol=0, atol=1e-5)


@pytest.mark.parametrize("transform", [RandomRotation3D(), RandomViewRotation()])
def test_drawn_for_each_sample_and_the_same_for_all_in_it(transform: Any) -> None:
    keypoint = np.tile(noise(25, 3), (3, 4, 1, 1))
    keypoint[2] = 0
    np.random.seed(3)
    first, second = apply(transform, keypoint), apply(transform, keypoint)
    np.random.seed(3)
    np.testing.assert_array_equal(first, apply(transform, keypoint))
    assert not np.allclose(first, second) and not np.allclose(first[0], keypoint[0])
    np.testing.assert_allclose(first[:2], np.broadcast_to(first[0, 0], (2, 4, 25, 3)))
    assert not first[2].any()  # who is absent stays so
    half = apply(transform, keypoint.astype(np.float16))
    assert half.dtype in (np.float32, np.float64)


def test_within_the_angle() -> None:
    np.random.seed(0)
    unit = np.eye(3)[None, None]
    # Where z turned about y alone ends, on the first axis: sin of y's angle.
    small = RandomRotation3D(max_angle=0.1)
    sines = [apply(small, unit)[0, 0, 2, 0] for _ in range(500)]
    assert np.sin(0.09) < np.abs(sines).max() < 0.15
    assert min(sines) < 0 < max(sines)
    whole = RandomViewRotation(max_angle=1)
    drawn = {tuple(np.round(apply(whole, unit)[0, 0, 2], 6)) for _ in range(200)}
    assert len(drawn) == 9  # both ends are reached


@pytest.mark.parametrize(
    ("kind", "options", "found"),
    [
        ("CenterSkeleton", dict(joint=-1), "joint=-1"),
        ("CenterSkeleton", dict(joint=20, layout="nw-ucla"), "joint=20.*up to 19"),
        ("CenterSkeleton", dict(joint="tail", layout="nw-ucla"), "'tail'.*spine"),
        ("CenterSkeleton", dict(joint="spine"), "set a layout"),
        ("RandomRotation3D", dict(max_angle=30), "max_angle=30.*radians"),
        ("RandomViewRotation", dict(max_angle=0.5), "max_angle=0.5"),
        ("SampleSortedFrames", dict(clip_len=0), "clip_len=0"),
        ("ValidCropResize", dict(clip_len=0), "clip_len=0"),
        ("ValidCropResize", dict(p_interval=(0.5, 0.8, 1.0)), r"\(0.5, 0.8, 1.0\)"),
        ("ValidCropResize", dict(p_interval=(1.0, 0.5)), "smallest and the largest"),
        ("ValidCropResize", dict(p_interval=(0.0,)), r"in \(0, 1\]"),
        ("FastPreNormalize3D", dict(layout="coco"), "layout 'coco' has no 'spine'"),
    ],
)
def test_bad_arguments(kind: str, options: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=f"{kind}.*{found}"):
        TRANSFORMS.build({"type": kind, **options})


@pytest.mark.parametrize(
    ("kind", "options", "shape", "found"),
    [
        ("CenterSkeleton", dict(joint=18), (1, 2, 17, 3), r"joint=18.*0\.\.16"),
        ("RandomRotation3D", {}, (1, 2, 17, 2), "2 coordinates"),
        ("FastPreNormalize3D", {}, (3, 2, 25, 3), "3 persons.*keep two"),
        ("FastPreNormalize3D", {}, (1, 4, 25, 3), "4 frames, 'total_frames' is 2"),
        ("FastPreNormalize3D", {}, (1, 2, 11, 3), "11 joints.*'layout'"),
        (
            "FastPreNormalize3D",
            dict(zaxis=[0, 1], xaxis=[8, 4]),
            *((1, 2, 7, 3), r"xaxis=\[8, 4\].*joints 0\.\.6"),
        ),
        ("FastUniformSampleFrames", dict(clip_len=8), (1, 4, 25, 3), "is 2.*4 frames"),
    ],
)
def test_data_that_do_not_fit(
    kind: str, options: dict[str, Any], shape: tuple[int, ...], found: str
) -> None:
    sample = {"keypoint": np.ones(shape), "frame_dir": "clip", "total_frames": 2}
    with pytest.raises(ValueError, match=found) as caught:
        TRANSFORMS.build({"type": kind, **options}).transform(sample)
    assert kind in str(caught.value) and "'clip'" in str(caught.value)
