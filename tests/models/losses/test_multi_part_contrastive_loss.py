"""The contrastive loss: golden values and gradients, and bad input."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gap_mmaction.models import CachedTextEncoder, MultiPartContrastiveLoss, PromptBank
from tests.models.golden import load_golden
from tests.models.text_common import raises

TOLERANCE: dict[str, Any] = dict(rtol=1e-5, atol=1e-6, check_stride=False)
PUBLIC_FORM: dict[str, Any] = dict(target="softmax", learnable=True)


def _random(labels: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    features = torch.randn(2, len(labels), 2, 8)
    return features[0], features[1], torch.tensor(labels)


@pytest.mark.parametrize("form", ["", "paper_"])
def test_golden(golden_folder: Path, form: str) -> None:
    golden, _ = load_golden(golden_folder, "contrastive_loss")
    loss = MultiPartContrastiveLoss(5, loss_weight=1.0, **({} if form else PUBLIC_FORM))
    if form:
        assert loss.temperature == pytest.approx(golden["paper_tau"].item())
    else:
        with torch.no_grad():
            loss.logit_scale.copy_(golden["logit_scale"])
    # [K, B, D] there.
    skeleton = golden["skel"].transpose(0, 1).clone().requires_grad_()
    text = golden["text"].transpose(0, 1).clone().requires_grad_()
    value = loss(skeleton, text, golden["labels"])
    value.backward()
    assert skeleton.grad is not None and text.grad is not None
    parts = loss.per_part(skeleton, text, golden["labels"])
    found = dict(loss=value, loss_per_k=parts, grad_skel=skeleton.grad.transpose(0, 1))
    found.update(grad_text=text.grad.transpose(0, 1))
    if not form:
        found.update(grad_logit_scale=loss.logit_scale.grad)
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, golden[form + name], **TOLERANCE)
    expected = golden["paper_target"] if form else (10 * golden["gt"]).softmax(1)
    torch.testing.assert_close(loss.targets(golden["labels"]), expected)


def test_neither_norms_nor_order_matter() -> None:
    skeleton, text, labels = _random([0, 1, 1, 2, 0])
    loss = MultiPartContrastiveLoss(2, temperature=0.5)
    value = loss(skeleton, text, labels)
    order = torch.tensor([2, 0, 4, 3, 1])
    same = loss(3 * skeleton[order], text[order] / 7, labels[order])
    torch.testing.assert_close(same, value)


def test_learned_weight() -> None:
    """Its optimum is where lambda is one over the loss."""
    features = _random([0, 0, 1, 2, 3, 3])
    plain = MultiPartContrastiveLoss(2, loss_weight=0.5)
    learned = MultiPartContrastiveLoss(2, loss_weight=0.5, learnable_weight=True)
    mean = 2 * plain(*features)
    torch.testing.assert_close(learned(*features), 0.5 * mean + math.log(2))
    assert learned.log_variance is not None
    learned.log_variance.data = mean.log()
    (slope,) = torch.autograd.grad(learned(*features), learned.log_variance)
    assert slope.abs() < 1e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision(dtype: torch.dtype) -> None:
    skeleton, text, labels = _random([0, 1, 1, 2])
    half, other = skeleton.to(dtype).requires_grad_(), text.to(dtype)
    loss = MultiPartContrastiveLoss(2, **PUBLIC_FORM)
    with torch.autocast("cpu", torch.bfloat16):
        actual = loss(half, other, labels)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, loss(half.float(), other.float(), labels))
    actual.backward()
    assert half.grad is not None and half.grad.isfinite().all() and half.grad.any()


def test_figures_of_the_docs() -> None:
    """docs/recipes.md, "The two forms of the loss"."""
    bank = PromptBank("data/descriptions/ntu120.yaml", seed=0)
    file = "data/text_features/ntu120_minilm.safetensors"
    features = CachedTextEncoder(file).encode(bank.texts)
    torch.manual_seed(0)
    labels = torch.randint(120, (200,))
    text = features[bank.sample(labels)]
    figures = []
    for skeleton in (torch.randn_like(text), text):
        for form in ({}, PUBLIC_FORM):
            x = F.normalize(skeleton, dim=-1).requires_grad_()
            loss = MultiPartContrastiveLoss(5, loss_weight=1.0, **form)
            value = loss(x, text, labels)
            value.backward()
            assert x.grad is not None
            figures += [value.item(), x.grad.norm().item()]
    expected = [4.59, 0.236, 4.45, 0.062, 0.90, 0.078, 3.08, 0.037]
    assert figures == pytest.approx(expected, rel=0.02)


def test_arguments_and_shapes() -> None:
    wrong = dict(num_parts=0, temperature=0, target="hard", loss_weight=0)
    for key, value in wrong.items():
        options: Any = {"num_parts": 2, "learnable_weight": True, key: value}
        with raises(ValueError, key):
            MultiPartContrastiveLoss(**options)
    assert not MultiPartContrastiveLoss(2, temperature=0.2).state_dict()
    (scale,) = MultiPartContrastiveLoss(2, learnable=True).parameters()
    assert scale.tolist() == pytest.approx([math.log(1 / 0.07)] * 2)
    loss, labels = MultiPartContrastiveLoss(2), torch.arange(4)
    for skeleton, text in (([4, 3, 8],) * 2, ([4, 2, 8], [4, 2, 9]), ([5, 2, 8],) * 2):
        with raises(ValueError, "[4, 2, D]", str(skeleton), str(text)):
            loss(torch.rand(skeleton), torch.rand(text), labels)
