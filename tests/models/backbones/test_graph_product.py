"""The plain form and the one for CPUs of the channel-wise graph product."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gap_mmaction.models.backbones.fast_path import apply_function
from gap_mmaction.models.backbones.graph_product import GraphProduct, graph_product

N, C, O, V, T, S, R = 2, 3, 4, 5, 6, 3, 2  # noqa: E741


def _fast(*operands: Tensor) -> Tensor:
    return GraphProduct.apply(*operands)[0]


FORMS = [graph_product, _fast]


def _operands(frames: int = T) -> list[Tensor]:
    torch.manual_seed(0)
    shapes = [(N, C, V, frames), (N, S, R, V * V), (S * O, C), (S * O,), (S, O, R)]
    return [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]


def _plain(x: Tensor, relation: Tensor, w3: Tensor, b3: Tensor, w4: Tensor) -> Tensor:
    """The formula, in one einsum each."""
    hidden = torch.einsum("soc,ncvt->nsovt", w3.view(S, O, C), x)
    hidden = hidden + b3.view(1, S, O, 1, 1)
    relation = relation.view(N, S, R, V, V)
    graph = torch.einsum("sor,nsruv->nsouv", w4, relation)
    return torch.einsum("nsouv,nsovt->nout", graph, hidden)


@pytest.mark.parametrize("form", FORMS)
def test_value_and_gradients(form: Callable[..., Tensor]) -> None:
    operands = _operands()
    weight = torch.randn(N, O, V, T, dtype=torch.float64)
    expected = _plain(*operands)
    expected_grads = torch.autograd.grad((weight * expected).sum(), operands)
    actual = form(*operands)
    torch.testing.assert_close(actual, expected)
    grads = torch.autograd.grad((weight * actual).sum(), operands)
    for grad, expected_grad in zip(grads, expected_grads):
        torch.testing.assert_close(grad, expected_grad)


def test_gradcheck() -> None:
    assert torch.autograd.gradcheck(GraphProduct.apply, _operands(frames=2))


@pytest.mark.parametrize("chosen", range(5))
def test_one_operand_with_gradient(chosen: int) -> None:
    operands = [operand.detach() for operand in _operands()]
    operands[chosen].requires_grad_()
    expected = torch.autograd.grad(_plain(*operands).sum(), operands[chosen])
    actual = torch.autograd.grad(_fast(*operands).sum(), operands[chosen])
    torch.testing.assert_close(actual, expected)


def test_rows_that_do_not_lie_side_by_side() -> None:
    x, *others = _operands()
    swapped = x.detach().transpose(2, 3).contiguous().transpose(2, 3).requires_grad_()
    out = _fast(swapped, *others)
    torch.testing.assert_close(out, _plain(x, *others))
    grad = torch.randn(N, O, T, V, dtype=torch.float64).transpose(2, 3)
    actual = torch.autograd.grad(out, swapped, grad)
    torch.testing.assert_close(actual, torch.autograd.grad(_plain(x, *others), x, grad))


def test_nothing_is_kept_without_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    forward = GraphProduct.forward

    def spy(ctx: object, *operands: Tensor) -> tuple[Tensor, Tensor]:
        out = forward(ctx, *operands)
        kept.append(len(getattr(ctx, "to_save", ()) or ()))
        return out

    monkeypatch.setattr(GraphProduct, "forward", staticmethod(spy))
    operands = _operands()
    with torch.no_grad():
        out, _ = apply_function(GraphProduct, *operands)
    torch.testing.assert_close(out, _plain(*operands))
    apply_function(GraphProduct, *operands)
    assert kept == [0, 5]
