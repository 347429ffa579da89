"""The contrastive loss: golden values and gradients, and bad input."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gap_mmaction.models import (
    CachedTextEncoder,
    MultiPartContrastiveLoss,
    PromptBank,
)
from tests.models.golden import load_golden

TOLERANCE: dict[str, Any] = dict(rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    arrays, _ = load_golden(shared, "contrastive_loss")
    return arrays


def _inputs(golden: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Skeleton and text features as ``[B, K, D]``, from ``[K, B, D]``; labels."""
    skeleton = golden["skel"].transpose(0, 1).clone().requires_grad_()
    text = golden["text"].transpose(0, 1).clone().requires_grad_()
    return skeleton, text, golden["labels"]


def _random(labels: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    batch = len(labels)
    return torch.randn(batch, 2, 8), torch.randn(batch, 2, 8), torch.tensor(labels)


class TestGolden:
    """Values and gradients of both forms."""

    def test_public_form(self, golden: dict[str, Tensor]) -> None:
        loss = MultiPartContrastiveLoss(
            5, target="softmax", learnable=True, loss_weight=1.0
        )
        with torch.no_grad():
            loss.logit_scale.copy_(golden["logit_scale"])
        skeleton, text, labels = _inputs(golden)
        per_part = loss.per_part(skeleton, text, labels)
        value = loss(skeleton, text, labels)
        value.backward()
        torch.testing.assert_close(per_part, golden["loss_per_k"], **TOLERANCE)
        torch.testing.assert_close(value, golden["loss"], **TOLERANCE)
        for grad, name in (
            (skeleton.grad, "grad_skel"),
            (text.grad, "grad_text"),
        ):
            assert grad is not None
            torch.testing.assert_close(
                grad.transpose(0, 1), golden[name], check_stride=False, **TOLERANCE
            )
        torch.testing.assert_close(
            loss.logit_scale.grad, golden["grad_logit_scale"], **TOLERANCE
        )

    def test_paper_form(self, golden: dict[str, Tensor]) -> None:
        loss = MultiPartContrastiveLoss(5, loss_weight=1.0)
        assert loss.temperature == pytest.approx(golden["paper_tau"].item())
        skeleton, text, labels = _inputs(golden)
        per_part = loss.per_part(skeleton, text, labels)
        value = loss(skeleton, text, labels)
        value.backward()
        torch.testing.assert_close(per_part, golden["paper_loss_per_k"], **TOLERANCE)
        torch.testing.assert_close(value, golden["paper_loss"], **TOLERANCE)
        for grad, name in (
            (skeleton.grad, "paper_grad_skel"),
            (text.grad, "paper_grad_text"),
        ):
            assert grad is not None
            torch.testing.assert_close(grad.transpose(0, 1), golden[name], **TOLERANCE)

    def test_targets(self, golden: dict[str, Tensor]) -> None:
        labels = golden["labels"]
        uniform = MultiPartContrastiveLoss(5).targets(labels)
        torch.testing.assert_close(uniform, golden["paper_target"])
        softmax = MultiPartContrastiveLoss(5, target="softmax").targets(labels)
        torch.testing.assert_close(softmax, torch.softmax(10 * golden["gt"], dim=1))


class TestBehaviour:
    """What holds for any features."""

    @pytest.mark.parametrize("target", ["uniform", "softmax"])
    def test_kl_of_both_directions(self, target: str) -> None:
        skeleton, text, labels = _random([0, 1, 1, 2, 0])
        loss = MultiPartContrastiveLoss(2, temperature=0.5, target=target)
        expected = []
        for k in range(2):
            s, t = (torch.nn.functional.normalize(x[:, k]) for x in (skeleton, text))
            logits = s @ t.T / 0.5
            q = loss.targets(labels)
            divergences = [
                torch.nn.functional.kl_div(
                    torch.log_softmax(x, 1), q, reduction="batchmean"
                )
                for x in (logits, logits.T)
            ]
            expected.append((divergences[0] + divergences[1]) / 2)
        actual = loss.per_part(skeleton, text, labels)
        torch.testing.assert_close(actual, torch.stack(expected))
        torch.testing.assert_close(loss(skeleton, text, labels), 0.8 * actual.mean())

    def test_norms_do_not_matter(self) -> None:
        skeleton, text, labels = _random([0, 1, 1])
        loss = MultiPartContrastiveLoss(2)
        torch.testing.assert_close(
            loss(skeleton, text, labels), loss(3 * skeleton, text / 7, labels)
        )

    def test_order_of_the_batch_does_not_matter(self) -> None:
        skeleton, text, labels = _random([0, 1, 1, 2])
        order = torch.tensor([2, 0, 3, 1])
        loss = MultiPartContrastiveLoss(2)
        torch.testing.assert_close(
            loss(skeleton, text, labels),
            loss(skeleton[order], text[order], labels[order]),
        )

    def test_matching_features_cost_nothing(self) -> None:
        eye = torch.eye(3)[:, None].repeat(1, 2, 1)
        loss = MultiPartContrastiveLoss(2, temperature=0.01)
        assert loss(eye, eye, torch.arange(3)).item() == pytest.approx(0, abs=1e-6)
        assert loss(eye, eye[[1, 2, 0]], torch.arange(3)).item() > 10

    def test_one_sample(self) -> None:
        loss = MultiPartContrastiveLoss(2)
        assert loss(*_random([4])).item() == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("learnable", [False, True])
    def test_scale(self, learnable: bool) -> None:
        loss = MultiPartContrastiveLoss(3, temperature=0.2, learnable=learnable)
        if learnable:
            assert [name for name, _ in loss.named_parameters()] == ["logit_scale"]
            expected = torch.full((3,), math.log(1 / 0.07))
        else:
            assert not list(loss.parameters())
            assert not loss.state_dict()
            expected = torch.full((3,), 5.0)
        torch.testing.assert_close(loss.logit_scale.detach(), expected)

    def test_learned_weight(self) -> None:
        """Its optimum is where lambda is one over the loss."""
        features = [torch.rand(6, 2, 8) for _ in range(2)]
        labels = torch.tensor([0, 0, 1, 2, 3, 3])
        plain = MultiPartContrastiveLoss(2, loss_weight=0.5)
        learned = MultiPartContrastiveLoss(2, loss_weight=0.5, learnable_weight=True)
        mean = 2 * plain(*features, labels)
        expected = 0.5 * mean + math.log(2)
        torch.testing.assert_close(learned(*features, labels), expected)
        assert learned.log_variance is not None
        learned.log_variance.data = mean.log()
        (slope,) = torch.autograd.grad(learned(*features, labels), learned.log_variance)
        assert slope.abs() < 1e-6

    @pytest.mark.parametrize("target", ["uniform", "softmax"])
    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_mixed_precision(self, target: str, dtype: torch.dtype) -> None:
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
        forms: list[dict[str, Any]] = [{}, dict(target="softmax", learnable=True)]
        for form in forms:
            x = F.normalize(skeleton, dim=-1).requires_grad_()
            loss = MultiPartContrastiveLoss(5, loss_weight=1.0, **form)
            value = loss(x, text, labels)
            value.backward()
            assert x.grad is not None
            figures += [value.item(), x.grad.norm().item()]
    expected = [4.59, 0.236, 4.45, 0.062, 0.90, 0.078, 3.08, 0.037]
    assert figures == pytest.approx(expected, rel=0.02)


class TestErrors:
    """What a user may get wrong."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (dict(num_parts=0), "num_parts must be at least 1, got 0"),
            (dict(temperature=0), "temperature must be above 0, got 0"),
            (dict(temperature=-1.0), "temperature must be above 0, got -1.0"),
            (dict(loss_weight=0, learnable_weight=True), "must be above 0 to be"),
            (dict(target="hard"), "target 'hard' is unknown, use one of .*'softmax'"),
        ],
    )
    def test_arguments(self, arguments: dict[str, Any], message: str) -> None:
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
    def test_shapes(
        self, skeleton: tuple[int, ...], text: tuple[int, ...], labels: int
    ) -> None:
        loss = MultiPartContrastiveLoss(2)
        with pytest.raises(ValueError) as error:
            loss(torch.rand(skeleton), torch.rand(text), torch.arange(labels))
        for part in (f"[{labels}, 2, D]", str(list(skeleton)), str(list(text))):
            assert part in str(error.value)
