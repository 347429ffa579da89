"""The channel-wise graph convolution of CTR-GC, for CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..ctrgcn_units import FrameConv, RefinementGraphConv
from ..forms import FORMS, CpuForms, apply_function, refuse_second_derivative
from .batch_norm import batch_norm, fold, scale_and_shift


def add_graph_product(
    out: Tensor,
    x: Tensor,
    relation: Tensor,
    w3: Tensor,
    b3: Tensor,
    w4: Tensor,
    hidden: Tensor,
    graph: Tensor,
    beta: float = 1.0,
) -> None:
    """Adds the graph product of one sample to ``beta * out``, ``[O, V, T]``.

    ``hidden``, ``[S * O, V * T]``, and ``graph``, ``[S, O, V * V]``, are overwritten.
    """
    torch.addmm(b3, w3, x, out=hidden)
    torch.bmm(w4, relation, out=graph)
    v = out.shape[1]
    subsets = zip(graph.unflatten(-1, (v, v)), hidden.view(len(w4), *out.shape))
    for of_subset, features in subsets:
        out.baddbmm_(of_subset, features, beta=beta)
        beta = 1.0


class GraphProduct(torch.autograd.Function):
    """Sums over subsets s of ``(W4_s D_s) (W3_s x + b3_s)``, a sample at a time.

    So the two large intermediate results, the transformed features and the
    channel-wise adjacency, stay in the processor's cache. The adjacency is computed
    again in the backward pass, which is cheaper than the memory traffic. The input is
    passed on as a second output, for the path around the product: so its gradient
    arrives here, and the product's is added to it without further traffic.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, relation: Tensor, w3: Tensor, b3: Tensor, w4: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Computes the product of :func:`~..ctrgcn_units.graph_product`'s arguments."""
        n, _, v, t = x.shape
        passed, x = x.view_as(x), x.reshape(n, -1, v * t)
        keep = any(ctx.needs_input_grad)
        hidden = x.new_empty((n if keep else 1, len(w3), v * t))
        graph = x.new_empty((*w4.shape[:2], v * v))
        out = x.new_empty((n, w4.shape[1], v, t))
        bias = b3.unsqueeze(1)
        for i, sample in enumerate(zip(out, x, relation)):
            scratch = hidden[i if keep else 0]
            add_graph_product(*sample, w3, bias, w4, scratch, graph, beta=0.0)
        if keep:
            ctx.save_for_backward(x, relation, w3, w4, hidden)
        return out, passed

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        """Computes the gradients of all five inputs."""
        refuse_second_derivative()
        x, relation, w3, w4, hidden = ctx.saved_tensors
        grad_out = grads[0].contiguous()
        n, channels, v, t = grad_out.shape
        subsets = w4.shape[0]
        # Nobody else has this gradient: what is passed on stays within a unit.
        grad_x = grads[1].contiguous().view_as(x)
        grad_relation, grad_w3 = torch.empty_like(relation), torch.zeros_like(w3)
        # Turned round: a matrix product with few columns is slow, with few rows not.
        grad_w4 = w4.new_zeros((subsets, w4.shape[2], channels))
        grad_b3 = w3.new_zeros(w3.shape[0])
        grad_hidden = torch.empty_like(hidden[0])
        graph = x.new_empty((subsets, channels, v * v))
        grad_graph = torch.empty_like(graph)
        grad_graph_t = grad_graph.transpose(1, 2)
        of_subsets = [
            graph.view(subsets, channels, v, v).transpose(2, 3).unbind(),
            grad_graph.view(subsets, channels, v, v).unbind(),
            grad_hidden.view(subsets, channels, v, t).unbind(),
        ]
        w3_t, w4_t = w3.t(), w4.transpose(1, 2)
        hidden_t = hidden.view(n, subsets, channels, v, t).transpose(3, 4)
        samples = zip(
            x.transpose(1, 2), relation, hidden_t, grad_out, grad_x, grad_relation
        )
        for x_t, of_sample, features_t, grad, grad_source, grad_of_sample in samples:
            torch.bmm(w4, of_sample, out=graph)
            for feature_t, graph_t, to_graph, to_hidden in zip(features_t, *of_subsets):
                torch.bmm(grad, feature_t, out=to_graph)
                torch.bmm(graph_t, grad, out=to_hidden)
            grad_w4.baddbmm_(of_sample, grad_graph_t)
            torch.bmm(w4_t, grad_graph, out=grad_of_sample)
            grad_w3.addmm_(grad_hidden, x_t)
            grad_b3 += grad_hidden.sum(1)
            grad_source.addmm_(w3_t, grad_hidden)
        grad_x = grad_x.view(n, -1, v, t)
        return grad_x, grad_relation, grad_w3, grad_b3, grad_w4.transpose(1, 2)


def _train(unit: RefinementGraphConv, x: Tensor) -> Tensor:
    out, residual = apply_function(GraphProduct, x, *unit.operands(x))
    if isinstance(unit.down, nn.Sequential):
        conv: Any = unit.down[0]
        norm: Any = unit.down[1]
        product = conv.convolve(residual, conv.weight, None)
        residual = batch_norm(product, [norm], conv.bias)
    return batch_norm(out, [unit.bn], residual=residual, relu=True)


def _infer(unit: RefinementGraphConv, x: Tensor) -> Tensor:
    x = x.contiguous()
    relation, w3, b3, w4 = unit.operands(x)
    scale, shift = scale_and_shift(unit.bn)
    w4, b3 = w4 * scale[:, None], b3[:, None]
    shift = shift[:, None]
    w_down: Tensor | None = None
    if isinstance(unit.down, nn.Sequential):
        conv: Any = unit.down[0]
        norm: Any = unit.down[1]
        w_down, b_down = fold(norm, conv.weight.flatten(1), conv.bias)
        shift = shift + b_down[:, None]
    n, _, v, t = x.shape
    hidden = x.new_empty((len(w3), v * t))
    graph = x.new_empty((*w4.shape[:2], v * v))
    out = x.new_empty((n, len(scale), v, t))
    for source, of_sample, target in zip(x.flatten(2), relation, out):
        flat = target.flatten(1)
        if w_down is None:
            torch.add(source, shift, out=flat)
        else:
            torch.addmm(shift, w_down, source, out=flat)
        add_graph_product(target, source, of_sample, w3, b3, w4, hidden, graph)
        target.relu_()
    return out


# Three subsets, as every CTR-GCN has.
_HEAD = [RefinementGraphConv, nn.ModuleList, *[nn.ModuleDict, *[nn.Conv2d] * 4] * 3]
_DOWNS = ([nn.Identity], [nn.Sequential, FrameConv, nn.BatchNorm2d])
FORMS[RefinementGraphConv] = CpuForms(
    [[*_HEAD, *down, nn.BatchNorm2d] for down in _DOWNS], _train, _infer
)
