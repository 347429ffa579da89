"""Joint, bone and their motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import JointToBone, ToMotion

from gap_mmaction.models.data_preprocessors.streams import (
    to_bone,
    to_motion,
    to_stream,
)
from gap_mmaction.skeletons import STREAMS, get_skeleton


@pytest.mark.parametrize("stream", STREAMS)
def test_nwucla(shared: Path, stream: str) -> None:
    bones = get_skeleton("nw-ucla").bones
    with np.load(shared / "golden" / "nwucla_pipeline.npz") as golden:
        key = stream.replace("-", "_")
        folders = [("joint/", f"{key}/", name) for name in golden["names"]]
        folders += [
            (f"train/{i}/joint", f"train/{i}/{key}", "")
            for i in range(len(golden["train_names"]))
        ]
        for source, target, name in folders:
            joints = torch.from_numpy(golden[source + name])
            expected = torch.from_numpy(golden[target + name])
            actual = to_stream(joints, stream, bones)
            torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stream", STREAMS)
def test_ntu(shared: Path, stream: str) -> None:
    bones = get_skeleton("nturgb+d").bones
    with np.load(shared / "golden" / "ntu_pipeline.npz") as golden:
        # [N, C, T, V, M] there, [N, M, T, V, C] here.
        joints, expected = (
            torch.from_numpy(golden[f"feeder/{name}"]).permute(0, 4, 2, 3, 1)
            for name in ("joint", stream.replace("-", "_"))
        )
    actual = to_stream(joints, stream, bones)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stream", STREAMS)
def test_2d_is_mmaction2s(stream: str) -> None:
    skeleton = get_skeleton("coco")
    rng = np.random.default_rng(0)
    keypoint = rng.normal(size=(2, 6, 17, 3)).astype(np.float32)  # x, y, confidence
    results = {"keypoint": keypoint}
    if stream.startswith("bone"):
        results = JointToBone(dataset="coco").transform(results)
    if stream.endswith("motion"):
        results = ToMotion(dataset="coco", target="keypoint").transform(results)
    actual = to_stream(
        torch.from_numpy(keypoint),
        stream,
        skeleton.bones,
        num_coordinates=skeleton.num_coordinates,
    )
    np.testing.assert_allclose(actual, results["keypoint"], rtol=0, atol=1e-6)
    # Without a confidence there are coordinates alone.
    plain = to_stream(
        torch.from_numpy(keypoint[..., :2]), stream, skeleton.bones, None, 2
    )
    assert torch.equal(plain, actual[..., :2])


def test_bone_of_a_chain() -> None:
    joints = torch.tensor([[1.0], [3.0], [7.0]])  # V, C
    # In any order of the pairs.
    bones = to_bone(joints, [(2, 1), (0, 0), (1, 0)])
    assert bones.flatten().tolist() == [0, 2, 4]


def test_motion_ends_in_zero() -> None:
    x = torch.tensor([1.0, 4.0, 9.0]).view(3, 1, 1)  # T, V, C
    assert to_motion(x).flatten().tolist() == [3, 5, 0]
    assert to_motion(x[:1]).flatten().tolist() == [0]


@pytest.mark.parametrize("stream", STREAMS)
def test_input_is_kept(stream: str) -> None:
    x = torch.rand(2, 4, 17, 3)
    before = x.clone()
    to_stream(x, stream, get_skeleton("coco").bones)
    assert torch.equal(x, before)


def test_unknown_stream() -> None:
    with pytest.raises(ValueError, match=r"stream 'motion' is unknown, use one of"):
        to_stream(torch.rand(2, 17, 3), "motion", get_skeleton("coco").bones)
