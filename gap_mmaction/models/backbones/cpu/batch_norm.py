"""Batch normalization with what stands around it, for CPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gap_mmaction.compat import aten_kernel

from ..forms import apply_function, refuse_second_derivative

# What a processor's cache holds with room for intermediate results.
CHUNK_BYTES = 1 << 19
BATCH_NORM_BACKWARD = aten_kernel("native_batch_norm_backward")
THRESHOLD_BACKWARD = aten_kernel("threshold_backward")


class BatchNormReLU(torch.autograd.Function):
    """Normalizes by the batch's statistics, adds, and takes what is positive.

    ``relu(relu(weight * normalized(x) + bias) + residual)``, where either ReLU and the
    residual may be missing. PyTorch's kernel for the statistics is ten times slower
    than that of group normalization, which gives mean and variance of each row; both
    of a channel follow from those of its rows. What the inner ReLU has cut off is
    computed again instead of kept.
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
        """Computes the output, and the mean and (biased) variance of ``x``.

        The parameters and ``eps`` are ``[C]``, the others as in :func:`batch_norm`.
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
        """Computes the gradients of x, weight, bias, conv_bias and residual."""
        refuse_second_derivative()
        x, weight, bias, mean, spread, out = ctx.saved_tensors
        inner_relu, relu = ctx.relus
        grad = grads[0].contiguous()
        if relu:
            grad = THRESHOLD_BACKWARD(grad, out, 0)
        inner_grad = grad
        if inner_relu:
            before = _normalize(x, weight, bias, mean, spread)
            inner_grad = THRESHOLD_BACKWARD(grad, before, 0, grad_input=before)
        of_all = BATCH_NORM_BACKWARD(
            *(inner_grad, x, weight),
            running_mean=None,
            running_var=None,
            save_mean=mean,
            save_invstd=spread.rsqrt(),
            train=True,
            eps=0.0,
            output_mask=(True, True, True),
        )
        of_conv_bias = torch.zeros_like(mean) if ctx.with_bias else None
        of_residual = grad if ctx.with_residual else None
        return (*of_all, None, of_conv_bias, of_residual, None, None)


def batch_norm(
    x: Tensor,
    norms: Sequence[nn.BatchNorm2d],
    conv_bias: Tensor | None = None,
    residual: Tensor | None = None,
    inner_relu: bool = False,
    relu: bool = False,
) -> Tensor:
    """Normalizes by the batch's statistics and updates those that the modules keep.

    Here ``x``, ``[N, C, V, T]``, is what a convolution without its bias has computed,
    and each module takes the next of its channels. The normalization cancels that bias,
    ``conv_bias``, ``[C]``, so that its gradient is zero.
    """
    weight = torch.cat([norm.weight for norm in norms])
    bias = torch.cat([norm.bias for norm in norms])
    eps = torch.cat([torch.full_like(norm.weight, norm.eps) for norm in norms]).detach()
    out, mean, var = apply_function(
        BatchNormReLU, x, weight, bias, eps, conv_bias, residual, inner_relu, relu
    )
    if conv_bias is not None:
        mean = mean + conv_bias.detach()
    count = x.numel() // x.shape[1]
    sizes = [norm.num_features for norm in norms]
    var = var * (count / (count - 1))
    for norm, *values in zip(norms, mean.split(sizes), var.split(sizes)):
        if not (norm.training and norm.track_running_stats):
            continue
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        factor = norm.momentum or 0.0
        if norm.momentum is None:
            factor = 1.0 / float(norm.num_batches_tracked)
        for running, value in zip((norm.running_mean, norm.running_var), values):
            if running is not None:
                running.mul_(1 - factor).add_(value, alpha=factor)
    return out


def fold(
    norm: nn.BatchNorm2d, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Returns a convolution's weight and bias with the normalization behind it."""
    scale, shift = scale_and_shift(norm)
    if bias is not None:
        shift = shift + bias * scale
    return weight * scale.view(-1, *[1] * (weight.dim() - 1)), shift


def scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Returns the factor and the summand that a normalization is, each ``[C]``."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mean and variance ``[C]`` of ``[N, C, L]`` over N and L."""
    means, variances = [], []
    samples, channels, length = rows.shape
    size = CHUNK_BYTES * samples // (rows.numel() * rows.element_size())
    for part in rows.split(max(1, size)):
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
    """Normalizes by given statistics; the spread is the variance with its epsilon."""
    return torch.native_batch_norm(x, weight, bias, mean, spread, False, 0.0, 0.0)[0]
