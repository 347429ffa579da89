"""The channel-wise graph product of CTR-GC, with its own backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .fast_path import refuse_second_derivative


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
    """Compute the graph product of one sample into ``beta * out``.

    Args:
        out: ``[O, V, T]``.
        x: ``[C, V * T]``.
        relation: ``[S, R, V * V]``.
        w3: ``[S * O, C]``.
        b3: ``[S * O, 1]``.
        w4: ``[S, O, R]``.
        hidden: ``[S * O, V * T]``, where the transformed features are written.
        graph: ``[S, O, V * V]``, where the channel-wise adjacency is written.
        beta: Factor of what ``out`` holds; zero if nothing.
    """
    torch.addmm(b3, w3, x, out=hidden)
    torch.bmm(w4, relation, out=graph)
    v = out.shape[1]
    subsets = zip(graph.unflatten(-1, (v, v)), hidden.view(len(w4), *out.shape))
    for of_subset, features in subsets:
        out.baddbmm_(of_subset, features, beta=beta)
        beta = 1.0


class GraphProduct(torch.autograd.Function):
    """Sum over subsets s of ``(W4_s D_s) (W3_s x + b3_s)``, a sample at a time.

    Computing one sample after the other keeps the two large intermediate results,
    the transformed features and the channel-wise adjacency, in the processor's
    cache. The adjacency (``[3, O, V, V]`` per sample) is not kept for the backward
    pass but computed again, which is cheaper than the memory traffic.

    The input is passed on as a second output, for the path around the product: so its
    gradient arrives here, and the product's is added to it without further traffic.

    This is the form for CPUs, :func:`graph_product` the plain one.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, relation: Tensor, w3: Tensor, b3: Tensor, w4: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compute the product of :func:`graph_product`'s arguments; pass x on."""
        n, in_channels, v, t = x.shape
        subsets, channels = w4.shape[:2]
        passed = x.view_as(x)
        x = x.reshape(n, in_channels, v * t)
        keep = any(ctx.needs_input_grad)
        rows = subsets * channels
        hidden = x.new_empty((n if keep else 1, rows, v * t))
        graph = x.new_empty((subsets, channels, v * v))
        out = x.new_empty((n, channels, v, t))
        bias = b3.unsqueeze(1)
        for i, (target, source, of_sample) in enumerate(zip(out, x, relation)):
            scratch = hidden[i if keep else 0]
            add_graph_product(
                target, source, of_sample, w3, bias, w4, scratch, graph, beta=0.0
            )
        if keep:
            ctx.save_for_backward(x, relation, w3, w4, hidden)
            ctx.set_materialize_grads(False)
        return out, passed

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Compute the gradients of all five inputs."""
        refuse_second_derivative()
        x, relation, w3, w4, hidden = ctx.saved_tensors
        if grads[0] is None:
            return grads[1], None, None, None, None
        grad_out = grads[0].contiguous()
        n, channels, v, t = grad_out.shape
        subsets = w4.shape[0]
        beta, grad_x = 0.0, torch.empty_like(x)
        if grads[1] is not None:
            # Nobody else has this gradient: what is passed on stays within a unit.
            beta, grad_x = 1.0, grads[1].contiguous().view_as(x)
        grad_relation = torch.empty_like(relation)
        grad_w3 = torch.zeros_like(w3)
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
            grad_source.addmm_(w3_t, grad_hidden, beta=beta)
        grad_x = grad_x.view(n, -1, v, t)
        return grad_x, grad_relation, grad_w3, grad_b3, grad_w4.transpose(1, 2)


def graph_product(
    x: Tensor, relation: Tensor, w3: Tensor, b3: Tensor, w4: Tensor
) -> Tensor:
    """Transform features and pass them along a channel-wise adjacency.

    ``out[n, c, u, t] = sum_{s, v} G[n, s, c, u, v] h[n, s, c, v, t]`` with
    ``h[n, s, c, v, t] = w3[s, c] x[n, :, v, t] + b3[s, c]`` and
    ``G[n, s, c] = w4[s, c] relation[n, s]``.

    Args:
        x: Features ``[N, C, V, T]``.
        relation: Relations ``[N, S, R, V * V]`` between joints, S subsets.
        w3: ``[S * O, C]``, subset by subset.
        b3: ``[S * O]``.
        w4: ``[S, O, R]``.

    Returns:
        Features ``[N, O, V, T]``.
    """
    n, _, v, t = x.shape
    subsets, channels = w4.shape[:2]
    hidden = torch.baddbmm(b3[None, :, None], w3.expand(n, -1, -1), x.flatten(2))
    hidden = hidden.view(n, subsets, channels, v, t)
    graph = torch.matmul(w4, relation).view(n, subsets, channels, v, v)
    return torch.matmul(graph, hidden).sum(1)
