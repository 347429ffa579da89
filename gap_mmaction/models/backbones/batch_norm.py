"""Batch normalization with what stands around it, for CPUs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .fast_path import apply_function, refuse_second_derivative

# What a processor's cache holds with room for intermediate results.
CHUNK_BYTES = 1 << 19


class BatchNormReLU(torch.autograd.Function):
    """Normalize by the batch's statistics, add, and take what is positive.

    ``relu(relu(weight * normalized(x) + bias) + residual)``, where either ReLU and the
    residual may be missing. PyTorch's kernel for the statistics reads a row of
    ``[N, C, V, T]`` ten times slower than that of group normalization, which gives mean
    and variance of each row; both of a channel follow from those of its rows. Its other
    kernels, to apply them and to go back, are as fast as memory. What the inner ReLU
    has cut off is computed again instead of kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: Tensor,
        conv_bias: Tensor | None,
        residual: Tensor | None,
        inner_relu: bool,
        relu: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the output, and the mean and (biased) variance of ``x``.

        Args:
            ctx: Autograd's context.
            x: ``[N, C, V, T]``; what a convolution without its bias has computed.
            weight: ``[C]``.
            bias: ``[C]``.
            eps: ``[C]``, added to the variances.
            conv_bias: ``[C]``, the bias that was left out. The normalization cancels
                it, and its gradient is zero.
            residual: ``[N, C, V, T]`` or ``None``.
            inner_relu: Whether there is a ReLU before the sum.
            relu: Whether there is a ReLU after it.
        """
        x = x.contiguous()
        mean, var = _moments(x.flatten(2))
        spread = var + eps
        out = _normalize(x, weight, bias, mean, spread)
        if inner_relu:
            out.relu_()
        if residual is not None:
            out.add_(residual)
        if relu:
            out.relu_()
        ctx.relus = (inner_relu, relu)
        ctx.with_bias, ctx.with_residual = conv_bias is not None, residual is not None
        ctx.save_for_backward(x, weight, bias, mean, spread, out if relu else None)
        ctx.mark_non_differentiable(mean, var)
        return out, mean, var

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the gradients of x, weight, bias, conv_bias and residual."""
        refuse_second_derivative()
        x, weight, bias, mean, spread, out = ctx.saved_tensors
        inner_relu, relu = ctx.relus
        grad = grads[0].contiguous()
        if relu:
            grad = _relu_backward(grad, out, out=torch.empty_like(out))
        inner_grad = grad
        if inner_relu:
            before = _normalize(x, weight, bias, mean, spread)
            inner_grad = _relu_backward(grad, before, out=before)
        grad_x, grad_weight, grad_bias = torch.ops.aten.native_batch_norm_backward(
            inner_grad,
            x,
            weight,
            None,
            None,
            mean,
            spread.rsqrt(),
            True,
            0.0,
            (True, True, True),
        )
        return (
            grad_x,
            grad_weight,
            grad_bias,
            None,
            torch.zeros_like(mean) if ctx.with_bias else None,
            grad if ctx.with_residual else None,
            None,
            None,
        )


def batch_norm(
    x: Tensor,
    norms: Sequence[nn.BatchNorm2d],
    conv_bias: Tensor | None = None,
    residual: Tensor | None = None,
    inner_relu: bool = False,
    relu: bool = False,
) -> Tensor:
    """Normalize by the batch's statistics and update those that the modules keep.

    Args:
        x: ``[N, C, V, T]``, of which each module takes the next of the channels.
        norms: The normalizations.
        conv_bias: ``[C]``; see :class:`BatchNormReLU`, as for the others.
        residual: ``[N, C, V, T]``.
        inner_relu: Whether there is a ReLU before the residual is added.
        relu: Whether there is a ReLU at the end.

    Returns:
        ``[N, C, V, T]``.
    """
    out, mean, var = apply_function(
        BatchNormReLU,
        x,
        torch.cat([norm.weight for norm in norms]),
        torch.cat([norm.bias for norm in norms]),
        torch.cat([torch.full_like(norm.weight, norm.eps) for norm in norms]).detach(),
        conv_bias,
        residual,
        inner_relu,
        relu,
    )
    if conv_bias is not None:
        mean = mean + conv_bias.detach()
    count = x.numel() // x.shape[1]
    sizes = [norm.num_features for norm in norms]
    for norm, part, part_var in zip(norms, mean.split(sizes), var.split(sizes)):
        _track(norm, part, part_var * (count / (count - 1)))
    return out


def fold(
    norm: nn.BatchNorm2d, weight: Tensor, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Merge a normalization by its running statistics into the convolution before it.

    Args:
        norm: The normalization.
        weight: The convolution's weight, output channels first.
        bias: Its bias; ``None`` for none.

    Returns:
        Weight and bias of both in one.
    """
    scale, shift = scale_and_shift(norm)
    if bias is not None:
        shift = shift + bias * scale
    return weight * scale.view(-1, *[1] * (weight.dim() - 1)), shift


def scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Give the factor and the summand that a normalization is, each ``[C]``."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale


def _chunks(rows: Tensor) -> Iterator[slice]:
    """Give slices of samples that fit into the cache."""
    samples = len(rows)
    size = max(1, CHUNK_BYTES * samples // (rows.numel() * rows.element_size()))
    for start in range(0, samples, size):
        yield slice(start, start + size)


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Give mean and variance ``[C]`` of ``[N, C, L]`` over N and L."""
    means, variances = [], []
    _, channels, length = rows.shape
    for chunk in _chunks(rows):
        part = rows[chunk]
        _, mean, rstd = torch.native_group_norm(
            part, None, None, len(part), channels, length, channels, 0.0
        )
        means.append(mean)
        variances.append(rstd.pow(-2))
    means_of_rows = torch.cat(means)
    mean = means_of_rows.mean(0)
    spread = (means_of_rows - mean).square_().mean(0)
    return mean, torch.cat(variances).mean(0) + spread


def _normalize(
    x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, spread: Tensor
) -> Tensor:
    """Normalize by given statistics; the spread is the variance with its epsilon."""
    out: Tensor = torch.native_batch_norm(
        x, weight, bias, mean, spread, False, 0.0, 0.0
    )[0]
    return out


def _relu_backward(grad: Tensor, value: Tensor, out: Tensor) -> Tensor:
    """Write the gradient before a ReLU, given one of the values around it."""
    result: Tensor = torch.ops.aten.threshold_backward.grad_input(
        grad, value, 0, grad_input=out
    )
    return result


def _track(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    """Update running statistics as :class:`torch.nn.BatchNorm2d` does."""
    if not (norm.training and norm.track_running_stats):
        return
    factor = 0.0 if norm.momentum is None else norm.momentum
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        if norm.momentum is None:
            factor = 1.0 / float(norm.num_batches_tracked)
    for running, value in ((norm.running_mean, mean), (norm.running_var, var)):
        if running is not None:
            running.mul_(1 - factor).add_(value, alpha=factor)
