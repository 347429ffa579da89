"""CenterSkeleton, MinMaxNormalize3D, MaskedPreNormalize2D, and bad arguments of all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmaction.datasets.transforms import PreNormalize2D
from mmaction.registry import TRANSFORMS

from gap_mmaction.datasets.transforms import (
    CenterSkeleton,
    MaskedPreNormalize2D,
    MinMaxNormalize3D,
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def centered(keypoint: np.ndarray, **options: Any) -> np.ndarray:
    result = CenterSkeleton(**options).transform({"keypoint": keypoint.copy()})
    return np.asarray(result["keypoint"])


def scaled(keypoint: np.ndarray) -> np.ndarray:
    return np.asarray(MinMaxNormalize3D().transform({"keypoint": keypoint})["keypoint"])


def test_joint_of_the_first_frame_is_the_origin() -> None:
    keypoint = noise(2, 6, 20, 3).astype(np.float32)
    out = centered(keypoint, joint="spine", layout="nw-ucla")
    origin = keypoint[0, 0, 1].astype(np.float64)
    np.testing.assert_allclose(out, keypoint - origin, atol=1e-12)
    assert out.dtype == np.float64


def test_the_first_person_counts_also_where_another_one_comes_first() -> None:
    keypoint = noise(2, 6, 25, 3)
    keypoint[0, :2] = 0
    out = centered(keypoint)
    np.testing.assert_allclose(out[1], keypoint[1] - keypoint[0, 2, 1], atol=1e-12)
    assert not out[0, :2].any() and not out[0, 2, 1].any()
    # Unless there is no first person at all, who stays at zero.
    keypoint[0] = 0
    out = centered(keypoint)
    assert not out[1, 0, 1].any() and not out[0].any()


def test_ntu_is_the_references_and_prepared_data_stays(golden_folder: Path) -> None:
    with np.load(golden_folder / "ntu_raw" / "expected.npz") as golden:
        for name in golden["names"]:
            before, after = (
                golden[f"{kind}/{name}"].reshape(-1, 2, 25, 3).swapaxes(0, 1)
                for kind in ("denoised", "translated")
            )
            np.testing.assert_allclose(centered(before), after, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(centered(after), after)


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
        transform.transform({"keypoint": keypoint.copy(), "img_shape": (480, 640)})
        for transform in (PreNormalize2D(), MaskedPreNormalize2D())
    )
    assert (stock["keypoint"][1, 2:] == -1).all()
    stock["keypoint"][1, 2:] = 0
    np.testing.assert_array_equal(ours["keypoint"], stock["keypoint"])


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
        ("RandomViewRotation", {}, (1, 2, 17, 2), "2 coordinates"),
        ("FastPreNormalize3D", {}, (1, 2, 25, 2), "2 coordinates"),
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
