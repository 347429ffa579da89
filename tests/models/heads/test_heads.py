"""Pooling over groups of joints, and classification of what is pooled."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS

from gap_mmaction.models import PartClassifier, PartPoolingHead
from gap_mmaction.skeletons import get_skeleton
from tests.models.text_common import model_config

PARTS = ["global", "head", "hand-arm", "hip", "leg-foot", "hip"]


@pytest.mark.parametrize("stream", ["joint", "bone"])
@pytest.mark.parametrize("layout", ["nturgb+d", "nw-ucla"])
def test_plain_means(layout: str, stream: str) -> None:
    torch.manual_seed(0)
    skeleton = get_skeleton(layout)
    head = PartPoolingHead(6, 4, PARTS, layout, stream)
    x = torch.randn(3, 2, 6, 5, skeleton.num_joints)
    names = [f"projections.{k}.{kind}" for k in range(6) for kind in ("weight", "bias")]
    assert list(head.state_dict()) == names
    out = head(x)
    assert out.shape == (3, 6, 4)
    for k, part in enumerate(PARTS):
        joints = list(skeleton.part(part, stream))
        # Over persons, frames and the part's joints at once.
        pooled = x.permute(0, 2, 1, 3, 4)[..., joints].flatten(2).mean(2)
        projection = head.projections[k]
        torch.testing.assert_close(out[:, k], projection(pooled), rtol=1e-5, atol=1e-6)


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


def test_classifier() -> None:
    torch.manual_seed(0)
    branch = PartClassifier(3, 6, "nw-ucla", parts=["upper", "lower"], loss_weight=0.5)
    x, labels = torch.randn(5, 1, 6, 4, 20), torch.tensor([0, 1, 2, 2, 1])
    losses = branch(x, labels)
    expected = [F.cross_entropy(scores, labels) for scores in branch.head(x).unbind(1)]
    torch.testing.assert_close(losses["loss_part"], 0.5 * sum(expected) / 2)
    for part, loss in zip(("upper", "lower"), expected):
        torch.testing.assert_close(losses[f"part_{part}"], loss.detach())
        assert not losses[f"part_{part}"].requires_grad
    losses["loss_part"].backward()
    assert all(p.grad is not None for p in branch.parameters())


@pytest.mark.parametrize(
    ("layout", "stream", "parts", "message"),
    [
        ("coco", "joint", ["wing"], "'wing'"),
        ("coco", "bones", ["head"], "'bones'"),
        ("kinect", "joint", ["head"], "'kinect'"),
        ("coco", "joint", [], "parts` .* is empty"),
    ],
)
def test_errors(layout: str, stream: str, parts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PartClassifier(3, 6, layout, stream, parts)


def test_in_a_recognizer() -> None:
    model = model_config(text_branch=dict(type="PartClassifier"))
    recognizer = MODELS.build(model)
    losses = recognizer.text_branch(torch.randn(2, 1, 8, 4, 20), torch.tensor([0, 2]))
    parts = ("head", "hand-arm", "hip", "leg-foot")
    assert set(losses) == {"loss_part", *(f"part_{part}" for part in parts)}
