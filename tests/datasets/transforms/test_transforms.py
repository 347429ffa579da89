"""The transforms against the references and the stock ones, and bad arguments."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmaction.datasets.transforms import (
    PreNormalize2D,
    PreNormalize3D,
    UniformSampleFrames,
)
from mmaction.registry import TRANSFORMS

from gap_mmaction.datasets import transforms
from gap_mmaction.datasets.transforms.coordinates import rotate_3d, rotate_view
from gap_mmaction.datasets.transforms.frames import (
    crop_random,
    draw_frames,
    spread_frames,
)


def apply(transform: Any, keypoint: np.ndarray) -> np.ndarray:
    return np.asarray(transform.transform({"keypoint": keypoint.copy()})["keypoint"])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def scaled(keypoint: np.ndarray) -> np.ndarray:
    return apply(transforms.MinMaxNormalize3D(), keypoint)


def test_nwucla_training_is_the_references(shared: Path) -> None:
    with np.load(shared / "golden" / "nwucla_pipeline.npz") as golden:
        for i in range(len(golden["train_names"])):
            # float32, as the annotation file holds them
            raw = golden[f"train/{i}/raw"].astype(np.float32)[None]
            angles = float(golden[f"train/{i}/agx"]), float(golden[f"train/{i}/agy"])
            clip = scaled(rotate_view(apply(transforms.CenterSkeleton(), raw), *angles))
            found = clip[0, golden[f"train/{i}/random_idx"]]
            expected = golden[f"train/{i}/joint"]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_joint_of_the_first_person_is_the_origin() -> None:
    keypoint = noise(2, 6, 20, 3).astype(np.float32)
    out = apply(transforms.CenterSkeleton(joint="spine", layout="nw-ucla"), keypoint)
    origin = keypoint[0, 0, 1].astype(np.float64)
    np.testing.assert_allclose(out, keypoint - origin, atol=1e-12)
    assert out.dtype == np.float64
    # Also where another one comes first.
    keypoint[0, :2] = 0
    out = apply(transforms.CenterSkeleton(), keypoint)
    np.testing.assert_allclose(out[1], keypoint[1] - keypoint[0, 2, 1], atol=1e-6)
    assert not out[0, :2].any() and not out[0, 2, 1].any()
    # Where an empty frame of NTU RGB+D has been moved with the others it is no body.
    prepared = noise(1, 6, 25, 3)
    prepared[:, 0] = 0
    prepared -= prepared[0, 1, 1].copy()
    assert np.array_equal(apply(transforms.CenterSkeleton(), prepared), prepared)
    # Unless there is no first person at all, who stays at zero.
    keypoint[0] = 0
    out = apply(transforms.CenterSkeleton(), keypoint)
    assert not out[1, 0, 1].any() and not out[0].any()


def test_ntu_is_the_references_and_prepared_data_stays(golden_folder: Path) -> None:
    with np.load(golden_folder / "ntu_raw" / "expected.npz") as golden:
        for name in golden["names"]:
            before, after = (
                golden[f"{kind}/{name}"].reshape(-1, 2, 25, 3).swapaxes(0, 1)
                for kind in ("denoised", "translated")
            )
            moved = apply(transforms.CenterSkeleton(), before)
            np.testing.assert_allclose(moved, after, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(
                apply(transforms.CenterSkeleton(), after), after
            )


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
        for kind in (PreNormalize2D, transforms.MaskedPreNormalize2D)
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
            out = apply(transforms.RandomRotation3D(0.3), before)
            assert out.dtype == np.float32
            np.testing.assert_allclose(out, after, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "transform", [transforms.RandomRotation3D(), transforms.RandomViewRotation()]
)
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
    small = transforms.RandomRotation3D(max_angle=0.1)
    sines = [apply(small, unit)[0, 0, 2, 0] for _ in range(500)]
    assert np.sin(0.09) < np.abs(sines).max() < 0.15
    assert min(sines) < 0 < max(sines)
    whole = transforms.RandomViewRotation(max_angle=1)
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


@pytest.mark.parametrize(
    "transform", [transforms.SampleSortedFrames(16), transforms.ValidCropResize(16)]
)
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
    result = transforms.ValidCropResize(*options).transform({"keypoint": keypoint})
    return np.asarray(result["keypoint"])


def assert_same(before: np.ndarray, after: np.ndarray, *options: Any) -> None:
    """Compares with the feeder, which has ``[C, T, V, M]`` for ``[M, T, V, C]``."""
    found = crop(before.transpose(3, 1, 2, 0), *options)
    np.testing.assert_allclose(found, after.transpose(3, 1, 2, 0), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def golden(golden_folder: Path) -> dict[str, np.ndarray]:
    with np.load(golden_folder / "ntu_pipeline.npz") as arrays:
        return dict(arrays)


def test_frames_are_the_references(
    golden: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    share, window = float(golden["test/p_interval"][0]), int(golden["test/window"])
    for i in range(len(golden["test/valid_frames"])):
        pair = golden[f"test/{i}/input"], golden[f"test/{i}/output"]
        assert_same(*pair, window, (share,))
    for i, frames in enumerate(golden["train/valid_frames"]):
        drawn = np.array([(float(golden[f"train/{i}/p"]) - 0.5) / 0.5])
        randint = Mock(return_value=int(golden[f"train/{i}/bias"]))
        monkeypatch.setattr(np.random, "rand", Mock(return_value=drawn))
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
    spans = np.array([crop_random(200, 0.25, 0.75) for _ in range(2000)])
    lengths = spans[:, 1] - spans[:, 0]
    # Never shorter than 64, though a quarter of 200 frames is.
    assert (lengths.min(), lengths.max()) == (64, 149)
    assert spans[:, 0].min() == 0 and spans[:, 1].max() == 200
    assert [crop_random(40, 0.5, 1.0) for _ in range(5)] == [(0, 40)] * 5


@pytest.mark.parametrize("window", [32, 52, 100])
def test_other_windows(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the feeder: no span below 64 frames, positions in single precision."""
    monkeypatch.setattr(np.random, "rand", Mock(return_value=np.array([0.0])))
    randint = Mock(return_value=7)
    monkeypatch.setattr(np.random, "randint", randint)
    x = np.random.default_rng(0).normal(size=(2, 90, 25, 3)).astype(np.float32)
    rows = torch.from_numpy(x[:, 7:71].transpose(3, 2, 0, 1).reshape(1, 1, -1, 64))
    size = (rows.shape[2], window)
    resized = F.interpolate(rows, size=size, mode="bilinear", align_corners=False)
    expected = resized.reshape(3, 25, 2, window).permute(2, 3, 1, 0).numpy()
    found = crop(x, window, (0.5, 1.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    randint.assert_called_once_with(0, 90 - 64 + 1)


def test_padding_is_left_out() -> None:
    keypoint = np.random.default_rng(0).normal(size=(2, 50, 25, 3))
    nobody = np.zeros((2, 10, 25, 3))
    padded = np.concatenate([keypoint, nobody], axis=1)
    np.testing.assert_array_equal(crop(keypoint), crop(padded))
    # The feeder takes so many frames, from the first one on, whoever is there.
    late = np.concatenate([nobody, keypoint], axis=1)
    np.testing.assert_array_equal(crop(late), crop(late[:, :50] + 1e-300))
    half = keypoint.astype(np.float16)
    np.testing.assert_array_equal(crop(half), crop(half.astype(np.float64)))
    sample = {"keypoint": np.zeros((1, 4, 25, 3)), "frame_dir": "S001"}
    with pytest.raises(ValueError, match=r"'S001'.*nobody is there"):
        transforms.ValidCropResize().transform(sample)


def _keypoint(seed: int, persons: int = 2, frames: int = 40, joints: int = 25) -> Any:
    rng = np.random.default_rng(seed)
    walk = rng.normal(size=(persons, frames, 1, 3)).cumsum(1) * 0.1
    body = rng.normal(size=(persons, 1, joints, 3))
    noise = rng.normal(size=(persons, frames, joints, 3)) * 0.02
    return (walk + body + noise).astype(np.float32)


def _both(keypoint: Any, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    sample = dict(keypoint=keypoint, total_frames=keypoint.shape[1])
    fast = transforms.FastPreNormalize3D(**options)(copy.deepcopy(sample))
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


def test_confidences_go_with_their_persons() -> None:
    keypoint, score = _keypoint(0), np.random.default_rng(0).random((2, 40, 25))
    keypoint[0, 10:] = 0
    keypoint[1, :5] = 0
    found = transforms.FastPreNormalize3D()(
        dict(keypoint=keypoint, keypoint_score=score)
    )
    np.testing.assert_array_equal(found["keypoint_score"], score[::-1, 5:])


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
        transforms.FastPreNormalize3D()(nobody)


def test_joints_of_the_layout() -> None:
    body = _keypoint(0, persons=1, joints=11)
    layout = dict(num_node=11, inward=[(i, 0) for i in range(1, 11)], center=0)
    layout |= dict(spine=[0, 7], shoulders=[2, 5])
    named, ours = (
        transform(dict(keypoint=body))["keypoint"]
        for transform in (
            transforms.FastPreNormalize3D(layout=layout),
            transforms.FastPreNormalize3D([0, 7], [2, 5]),
        )
    )
    np.testing.assert_allclose(named, ours - ours[0, 0, 7], atol=1e-6)
    _assert_same(_keypoint(0), layout="nturgb+d")


def test_without_centering() -> None:
    # The stock transform fails here: it reports a centre that it has not taken.
    keypoint, before = _keypoint(8), _keypoint(8)
    fast = transforms.FastPreNormalize3D(align_center=False, align_shoulder=False)
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
    for kind in (UniformSampleFrames, transforms.FastUniformSampleFrames):
        np.random.seed(5)
        results.append((kind(**options)(dict(sample)), np.random.random()))
    np.testing.assert_equal(results[0], results[1])
    stock, fast = (found["frame_inds"] for found, _ in results)
    assert stock.dtype == fast.dtype
