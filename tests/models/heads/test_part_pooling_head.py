"""Pooling over groups of joints."""

from __future__ import annotations

import pytest
import torch

from gap_mmaction.models import PartPoolingHead
from gap_mmaction.skeletons import get_skeleton

PARTS = ["global", "head", "hand-arm", "hip", "leg-foot", "hip"]


@pytest.mark.parametrize("stream", ["joint", "bone", "bone-motion"])
@pytest.mark.parametrize("layout", ["nturgb+d", "nw-ucla"])
def test_plain_means(layout: str, stream: str) -> None:
    torch.manual_seed(0)
    skeleton = get_skeleton(layout)
    head = PartPoolingHead(6, 4, PARTS, layout, stream)
    x = torch.randn(3, 2, 6, 5, skeleton.num_joints)
    out = head(x)
    assert out.shape == (3, 6, 4)
    for k, part in enumerate(PARTS):
        joints = list(skeleton.part(part, stream))
        # Over persons, frames and the part's joints at once.
        pooled = x.permute(0, 2, 1, 3, 4)[..., joints].flatten(2).mean(2)
        projection = head.projections[k]
        torch.testing.assert_close(out[:, k], projection(pooled), rtol=1e-5, atol=1e-6)


def test_state_dict_has_projections_only() -> None:
    head = PartPoolingHead(2, 3, ["head", "hip"], "coco")
    assert set(head.state_dict()) == {
        f"projections.{k}.{kind}" for k in (0, 1) for kind in ("weight", "bias")
    }


def test_mixed_precision() -> None:
    head = PartPoolingHead(6, 4, PARTS, "coco")
    x = torch.randn(2, 1, 6, 3, 17)
    with torch.autocast("cpu", torch.bfloat16):
        out = head(x.bfloat16())
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), head(x), rtol=0.05, atol=0.05)


def test_initialization() -> None:
    torch.manual_seed(0)
    head = PartPoolingHead(256, 512, ["global", "head"], "nturgb+d")
    deviations = [p.std().item() for p in head.parameters() if p.ndim == 2]
    assert deviations == pytest.approx([0.0625, 0.0361], rel=0.02)


@pytest.mark.parametrize(
    ("part", "layout", "stream"),
    [("wing", "coco", "joint"), ("head", "coco", "bones"), ("head", "kinect", "joint")],
)
def test_unknown_names(part: str, layout: str, stream: str) -> None:
    unknown = {"wing", "bones", "kinect"} & {part, layout, stream}
    with pytest.raises(ValueError, match=f"'{unknown.pop()}'"):
        PartPoolingHead(2, 3, [part], layout, stream)
