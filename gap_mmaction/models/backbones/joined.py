"""Forms for a training step on a GPU: fewer launches and bytes, stock operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gap_mmaction.compat import foreach_kernel

from .ctrgcn_units import (
    MultiScaleTemporalConv,
    RefinementGraphConv,
    TemporalConv,
    add_residual,
)
from .forms import JOINED

ADD_, LERP_ = foreach_kernel("add_"), foreach_kernel("lerp_")


class CancelledBias(torch.autograd.Function):
    """Passes on ``out``, without the bias that the normalization behind would cancel.

    The bias has a gradient of zeros, so that no parameter seems to be unused.
    """

    @staticmethod
    def forward(ctx: Any, out: Tensor, bias: Tensor) -> Tensor:
        """Returns ``out``."""
        ctx.save_for_backward(bias)
        return out.view_as(out)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the gradients of ``out`` and of the bias."""
        return grads[0], torch.zeros_like(ctx.saved_tensors[0])


def conv_norm(x: Tensor, pairs: Sequence[Any]) -> Tensor:
    """Applies convolutions ``pairs[i][0]`` and normalizations ``pairs[i][1]``.

    The convolutions are alike and stand side by side: ``[N, C, V, T]`` becomes ``[N,
    sum of their outputs, V, T']``. The normalizations have the same settings, take the
    statistics of the batch and keep their own.
    """
    convs, norms = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    weight, bias = (_join(convs, kind) for kind in ("weight", "bias"))
    out = CancelledBias.apply(convs[0].convolve(x, weight, None), bias)
    first, momentum = norms[0], norms[0].momentum
    if len(norms) == 1:
        # Before, as what a normalization keeps belongs to its backward pass.
        with torch.no_grad():
            first.running_mean.add_(bias, alpha=momentum / (1 - momentum))
        return first(out)
    scale, shift = (_join(norms, kind) for kind in ("weight", "bias"))
    # With a momentum of 1 they become those of the batch.
    statistics = scale.new_zeros((2, len(scale)))
    mean, var = statistics
    out = F.batch_norm(out, mean, var, scale, shift, True, 1.0, first.eps)
    with torch.no_grad():
        names = ("running_mean", "running_var")
        kept = [getattr(norm, name) for name in names for norm in norms]
        found = torch.cat([mean + bias, var]).split([len(running) for running in kept])
        LERP_(kept, found, momentum)
        ADD_([norm.num_batches_tracked for norm in norms], 1)
    return out


def _join(modules: Sequence[nn.Module], name: str) -> Tensor:
    tensors = [getattr(module, name) for module in modules]
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


def _convolve(
    unit: TemporalConv, x: Tensor, residual: Tensor | None = None, relu: bool = False
) -> Tensor:
    return add_residual(conv_norm(x, [(unit.conv, unit.bn)]), residual, relu)


def _branch(
    unit: MultiScaleTemporalConv,
    x: Tensor,
    residual: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    branches: Any = unit.branches
    heads, last = branches[:3], branches[3]
    hidden = F.relu_(conv_norm(x, heads))
    parts = [part.contiguous() for part in hidden.chunk(len(heads), dim=1)]
    outputs = [head[3:](part) for head, part in zip(heads, parts)]
    out = torch.cat([*outputs, conv_norm(x, [last])], dim=1)
    return add_residual(out.relu_() if unit.relu else out, residual, relu)


def joint_graph_product(
    x: Tensor, relation: Tensor, w3: Tensor, b3: Tensor, w4: Tensor
) -> Tensor:
    """Returns :func:`~.ctrgcn_units.graph_product` by one product, without its sum."""
    n, _, v, t = x.shape
    subsets, channels = w4.shape[:2]
    # Channels before subsets, so that a product sums over the subsets and the joints.
    w3 = w3.unflatten(0, (subsets, -1)).transpose(0, 1).flatten(0, 1)
    b3 = b3.view(subsets, -1).t().reshape(1, -1, 1)
    hidden = torch.baddbmm(b3, w3.expand(n, -1, -1), x.flatten(2))
    graph = torch.matmul(w4, relation).view(n, subsets, channels, v, v)
    graph = graph.permute(0, 2, 3, 1, 4).reshape(n, channels, v, subsets * v)
    return torch.matmul(graph, hidden.view(n, channels, subsets * v, t))


def _refine(unit: RefinementGraphConv, x: Tensor) -> Tensor:
    out = unit.bn(joint_graph_product(x, *unit.operands(x)))
    down: Any = unit.down
    return F.relu_(out + (x if isinstance(down, nn.Identity) else conv_norm(x, [down])))


JOINED[RefinementGraphConv] = _refine
JOINED[TemporalConv] = _convolve
JOINED[MultiScaleTemporalConv] = _branch
