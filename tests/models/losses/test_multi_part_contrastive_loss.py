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


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    arrays, _ = load_golden(shared, "contrastive_loss")
    return arrays


def _random(labels: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    batch = len(labels)
    return torch.randn(batch, 2, 8), torch.randn(batch, 2, 8), torch.tensor(labels)


@pytest.mark.parametrize("form", ["", "paper_"])
def test_golden(golden: dict[str, Tensor], form: str) -> None:
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
    found = {
        "loss_per_k": loss.per_part(skeleton, text, golden["labels"]),
        "loss": value,
        "grad_skel": skeleton.grad.transpose(0, 1),
        "grad_text": text.grad.transpose(0, 1),
    }
    if not form:
        assert loss.logit_scale.grad is not None
        found["grad_logit_scale"] = loss.logit_scale.grad
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, golden[form + name], **TOLERANCE)


def test_golden_targets(golden: dict[str, Tensor]) -> None:
    labels = golden["labels"]
    uniform = MultiPartContrastiveLoss(5).targets(labels)
    torch.testing.assert_close(uniform, golden["paper_target"])
    softmax = MultiPartContrastiveLoss(5, target="softmax").targets(labels)
    torch.testing.assert_close(softmax, torch.softmax(10 * golden["gt"], dim=1))


@pytest.mark.parametrize("target", ["uniform", "softmax"])
def test_kl_of_both_directions(target: str) -> None:
    skeleton, text, labels = _random([0, 1, 1, 2, 0])
    loss = MultiPartContrastiveLoss(2, temperature=0.5, target=target)
    q, expected = loss.targets(labels), []
    for k in range(2):
        s, t = (F.normalize(x[:, k]) for x in (skeleton, text))
        logits = s @ t.T / 0.5
        for x in (logits, logits.T):
            log_p = torch.log_softmax(x, 1)
            expected.append(F.kl_div(log_p, q, reduction="batchmean") / 2)
    actual = loss.per_part(skeleton, text, labels)
    torch.testing.assert_close(actual, torch.stack(expected).view(2, 2).sum(1))
    value = loss(skeleton, text, labels)
    torch.testing.assert_close(value, 0.8 * actual.mean())
    # Neither norms nor the order of the batch matter.
    order = torch.tensor([2, 0, 4, 3, 1])
    same = loss(3 * skeleton[order], text[order] / 7, labels[order])
    torch.testing.assert_close(same, value)


def test_matching_features_cost_nothing() -> None:
    eye = torch.eye(3)[:, None].repeat(1, 2, 1)
    loss = MultiPartContrastiveLoss(2, temperature=0.01)
    assert loss(eye, eye, torch.arange(3)).item() == pytest.approx(0, abs=1e-6)
    assert loss(eye, eye[[1, 2, 0]], torch.arange(3)).item() > 10
    # Nor does a single sample.
    assert loss(*_random([4])).item() == pytest.approx(0, abs=1e-6)


def test_scale() -> None:
    fixed = MultiPartContrastiveLoss(3, temperature=0.2)
    assert not list(fixed.parameters()) and not fixed.state_dict()
    assert fixed.logit_scale.tolist() == [5.0] * 3
    learned = MultiPartContrastiveLoss(3, learnable=True)
    assert [name for name, _ in learned.named_parameters()] == ["logit_scale"]
    assert learned.logit_scale.tolist() == pytest.approx([math.log(1 / 0.07)] * 3)


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


@pytest.mark.parametrize("target", ["uniform", "softmax"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision(target: str, dtype: torch.dtype) -> None:
    skeleton, text, labels = _random([0, 1, 1, 2])
    half = skeleton.to(dtype).requires_grad_()
    loss = MultiPartContrastiveLoss(2, target=target, learnable=True)
    expected = loss(half.float(), text.to(dtype).float(), labels)
    with torch.autocast("cpu", torch.bfloat16):
        actual = loss(half, text.to(dtype), labels)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected)
    actual.backward()
    assert half.grad is not None and half.grad.dtype == dtype
    assert torch.isfinite(half.grad).all() and half.grad.abs().sum() > 0


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(num_parts=0), "num_parts .* got 0"),
        (dict(temperature=0), "temperature .* got 0"),
        (dict(temperature=-1.0), "temperature .* got -1.0"),
        (dict(loss_weight=0, learnable_weight=True), "loss_weight .* got 0"),
        (dict(target="hard"), "target 'hard' .*'softmax'"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiPartContrastiveLoss(**{"num_parts": 2, **arguments})


@pytest.mark.parametrize(
    ("skeleton", "text", "labels"),
    [
        ((4, 3, 8), (4, 3, 8), 4),  # parts
        ((4, 2, 8), (4, 2, 9), 4),  # widths
        ((4, 2, 8), (3, 2, 8), 4),  # batches
        ((4, 2, 8), (4, 2, 8), 5),  # labels
        ((2, 4, 8), (2, 4, 8), 4),  # the other order
    ],
)
def test_bad_shapes(skeleton: tuple[int], text: tuple[int], labels: int) -> None:
    loss = MultiPartContrastiveLoss(2)
    words = (f"[{labels}, 2, D]", str(list(skeleton)), str(list(text)))
    with raises(ValueError, *words):
        loss(torch.rand(skeleton), torch.rand(text), torch.arange(labels))
