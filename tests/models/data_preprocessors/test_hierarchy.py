"""The matrix that GAP's public implementation makes bones with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gap_mmaction.models.data_preprocessors.streams import hierarchy_matrix, to_stream
from gap_mmaction.skeletons import get_skeleton


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
    # The direction is a difference, and k = 8 on NTU is none.
    assert (hierarchy_matrix(skeleton) != hierarchy_matrix(skeleton, 1, True)).any()


@pytest.mark.parametrize("layout", ["nturgb+d", "nw-ucla", "coco"])
def test_differs_from_the_bones_on_the_way_between_the_roots_alone(layout: str) -> None:
    skeleton = get_skeleton(layout)
    matrix = hierarchy_matrix(skeleton)
    x = torch.rand(2, 4, skeleton.num_joints, 3)
    bones = to_stream(x, "bone", skeleton.bones)
    other = to_stream(x, "bone", skeleton.bones, matrix)
    differing = (bones != other).any(dim=-1).any(dim=0).any(dim=0).nonzero().flatten()
    if layout == "nturgb+d":
        assert differing.tolist() == [1, 20]
        torch.testing.assert_close(other[..., 20, :], -bones[..., 1, :])
        torch.testing.assert_close(other[..., 1, :], x[..., 1, :])
    else:
        assert differing.tolist() == [skeleton.centre]


def test_power_of_a_chain() -> None:
    layout = dict(num_node=3, inward=[(1, 0), (2, 1)], center=0)
    skeleton = get_skeleton(layout)
    x = torch.tensor([[1.0], [3.0], [7.0]])
    results = [
        (hierarchy_matrix(skeleton, power, reverse) @ x).flatten().tolist()
        for power, reverse in (
            (0, False),
            (1, False),
            (2, False),
            (3, False),
            (1, True),
        )
    ]
    assert results == [[1, 3, 7], [1, 2, 4], [1, 3, 6], [1, 3, 7], [-2, -4, 7]]
