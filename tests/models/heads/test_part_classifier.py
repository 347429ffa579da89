"""Classification of the pooled parts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS

from gap_mmaction.models import PartClassifier
from gap_mmaction.skeletons import get_skeleton
from tests.models.text_common import model_config


def test_loss() -> None:
    torch.manual_seed(0)
    branch = PartClassifier(3, 6, "nw-ucla", parts=["upper", "lower"], loss_weight=0.5)
    x = torch.randn(5, 1, 6, 4, 20)
    labels = torch.tensor([0, 1, 2, 2, 1])
    losses = branch(x, labels)
    skeleton = get_skeleton("nw-ucla")
    expected = []
    for k, part in enumerate(("upper", "lower")):
        pooled = x[:, 0, :, :, list(skeleton.part(part))].mean((2, 3))
        scores = branch.head.projections[k](pooled)
        expected.append(F.cross_entropy(scores, labels))
    torch.testing.assert_close(losses["loss_part"], 0.5 * sum(expected) / 2)
    for part, loss in zip(("upper", "lower"), expected):
        torch.testing.assert_close(losses[f"part_{part}"], loss.detach())
        assert not losses[f"part_{part}"].requires_grad
    losses["loss_part"].backward()
    assert all(p.grad is not None for p in branch.parameters())


@pytest.mark.parametrize(
    "parts, message", [([], "parts` .* is empty"), (["tail"], "'tail'")]
)
def test_errors(parts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PartClassifier(3, 6, "nw-ucla", parts=parts)


def test_in_a_recognizer() -> None:
    model = model_config(text_branch=dict(type="PartClassifier"))
    recognizer = MODELS.build(model)
    plain = MODELS.build({**model_config(), "type": "RecognizerGCN"})
    stripped = {k: v for k, v in recognizer.state_dict().items() if "text_b" not in k}
    plain.load_state_dict(stripped, strict=True)
    losses = recognizer.text_branch(torch.randn(2, 1, 8, 4, 20), torch.tensor([0, 2]))
    parts = ("head", "hand-arm", "hip", "leg-foot")
    assert set(losses) == {"loss_part", *(f"part_{part}" for part in parts)}
