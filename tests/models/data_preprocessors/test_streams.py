"""Joint, bone and their motion, by differences and by the hierarchy's matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import JointToBone, ToMotion

from gap_mmaction.models.data_preprocessors.streams import hierarchy_matrix, to_stream
from gap_mmaction.skeletons import STREAMS, get_skeleton

CHAIN = dict(num_node=3, inward=[(1, 0), (2, 1)], center=0)


@pytest.mark.parametrize("stream", STREAMS)
def test_nwucla(shared: Path, stream: str) -> None:
    bones = get_skeleton("nw-ucla").bones
    with np.load(shared / "golden" / "nwucla_pipeline.npz") as golden:
        key = stream.replace("-", "_")
        pairs = [(f"joint/{name}", f"{key}/{name}") for name in golden["names"]]
        for i in range(len(golden["train_names"])):
            pairs.append((f"train/{i}/joint", f"train/{i}/{key}"))
        for source, target in pairs:
            joints = torch.from_numpy(golden[source])
            expected = torch.from_numpy(golden[target])
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
    bones = get_skeleton("coco").bones
    rng = np.random.default_rng(0)
    keypoint = rng.normal(size=(2, 6, 17, 3)).astype(np.float32)  # x, y, confidence
    results = {"keypoint": keypoint}
    if stream.startswith("bone"):
        results = JointToBone(dataset="coco").transform(results)
    if stream.endswith("motion"):
        results = ToMotion(dataset="coco", target="keypoint").transform(results)
    x = torch.from_numpy(keypoint)
    before = x.clone()
    actual = to_stream(x, stream, bones, num_coordinates=2)
    np.testing.assert_allclose(actual, results["keypoint"], rtol=0, atol=1e-6)
    # Without a confidence there are coordinates alone.
    assert torch.equal(to_stream(x[..., :2], stream, bones, None, 2), actual[..., :2])
    assert torch.equal(x, before)


def test_chain() -> None:
    x = torch.tensor([[1.0], [3.0], [7.0]])  # V, C
    # In any order of the pairs.
    bones = to_stream(x, "bone", [(2, 1), (0, 0), (1, 0)])
    assert bones.flatten().tolist() == [0, 2, 4]
    skeleton = get_skeleton(CHAIN)
    for power, reverse, expected in (
        (0, False, [1, 3, 7]),
        (1, False, [1, 2, 4]),
        (2, False, [1, 3, 6]),
        (3, False, [1, 3, 7]),
        (1, True, [-2, -4, 7]),
    ):
        actual = hierarchy_matrix(skeleton, power, reverse) @ x
        assert actual.flatten().tolist() == expected


@pytest.mark.parametrize(
    ("data", "layout", "reverse", "powers"),
    [
        ("ntu", "nturgb+d", False, (0, 1, 2, 8)),
        ("ucla", "nw-ucla", True, (0, 1, 2, 6)),
    ],
)
def test_matrices(
    shared: Path, data: str, layout: str, reverse: bool, powers: tuple[int, ...]
) -> None:
    skeleton = get_skeleton(layout)
    with np.load(shared / "golden" / "ntu_pipeline.npz") as golden:
        for power in powers:
            expected = golden[f"gap/{data}_I_minus_A_pow_{power}"]
            actual = hierarchy_matrix(skeleton, power, reverse)
            np.testing.assert_array_equal(actual, expected)
