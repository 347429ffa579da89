"""Temporal convolutions, of one scale and of several, for CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .. import ctrgcn_units as units
from ..ctrgcn_units import FrameConv, MultiScaleTemporalConv, TemporalConv
from ..forms import FORMS, CpuForms, apply_function, refuse_second_derivative
from .batch_norm import batch_norm, fold, scale_and_shift

TAPS = 5
DILATIONS = (1, 2)
# Frames of padding on either side that the wider of the two kernels needs.
REACH = 2 * max(DILATIONS)


class FrameWindows:
    """The frames under the two kernels of five taps, for one sample at a time.

    A convolution over few channels is a matrix product with a copy of its input per
    tap, several times faster than PyTorch's convolution of 16 channels.

    Attributes:
        inner: ``[3, width, V, T]``, where the sample is to be written; the third
            branch is the pooled one.
        neighbours: The third one frame before, at and one frame after each output.
    """

    def __init__(
        self, like: Tensor, width: int, joints: int, frames: int, stride: int
    ) -> None:
        padded = frames + 2 * REACH
        self.buffer = like.new_zeros((3, width, joints, padded))
        self.inner = self.buffer[..., REACH : REACH + frames]
        out_frames = (frames - 1) // stride + 1
        self._columns = like.new_empty((2, TAPS, width, joints, out_frames))
        self._windows = [
            self.buffer.as_strided(
                self._columns.shape[1:],
                (dilation, joints * padded, padded, stride),
                branch * width * joints * padded + REACH - 2 * dilation,
            )
            for branch, dilation in enumerate(DILATIONS)
        ]
        self.neighbours = [
            self.buffer[2, ..., REACH + d : REACH + d + frames : stride]
            for d in (-1, 0, 1)
        ]

    def columns(self) -> Tensor:
        """Returns the frames under the kernels, ``[2, 5 * width, V * T']``."""
        for columns, window in zip(self._columns, self._windows):
            columns.copy_(window)
        return self._columns.view(2, -1, self._columns[0, 0, 0].numel())

    def pool(self, out: Tensor) -> None:
        """Writes the largest of three frames to ``[width, V, T']``.

        After a ReLU the padding by zeros is as good as one by minus infinity.
        """
        before, at, after = self.neighbours
        torch.maximum(before, at, out=out)
        torch.maximum(out, after, out=out)


def kernel_matrices(weights: list[Tensor]) -> Tensor:
    """Brings two kernels ``[O, I, 5, 1]`` into the windows' order: ``[2, O, 5 I]``."""
    return torch.stack([w.squeeze(-1).transpose(1, 2).flatten(1) for w in weights])


class PassingPointwise(torch.autograd.Function):
    """A 1x1 convolution without bias that passes its input on.

    So the gradient from where the input is used further arrives here, and the
    convolution's is added to it without further memory traffic.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Maps ``[N, C, V, T]`` by ``[O, C]`` to ``[N, O, V, T]``; passes x on."""
        n, _, v, t = x.shape
        ctx.save_for_backward(x, weight)
        out = torch.bmm(weight.expand(n, -1, -1), x.flatten(2))
        return out.view(n, -1, v, t), x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        """Computes the gradients of x and weight."""
        refuse_second_derivative()
        x, weight = ctx.saved_tensors
        grad, grad_x = grads[0].flatten(2), grads[1].contiguous()
        # Nobody else has this gradient: what is passed on stays within a unit.
        grad_x.flatten(2).baddbmm_(weight.t().expand(len(x), -1, -1), grad)
        grad_weight = torch.bmm(grad, x.flatten(2).transpose(1, 2)).sum(0)
        return grad_x, grad_weight


class TemporalBranches(torch.autograd.Function):
    """Two dilated convolutions, a max-pooling and a 1x1 convolution over time.

    The four of :class:`~..ctrgcn_units.MultiScaleTemporalConv`, without their biases
    and normalizations, a sample at a time. Where several frames are largest, the
    gradient is that of the first of them, as in PyTorch.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, x: Tensor, kernels: Tensor, last: Tensor, stride: int
    ) -> Tensor:
        """Computes the four outputs, concatenated.

        The first three come from ``hidden``, ``[N, 3 * width, V, T]`` and non-negative,
        by the two kernels of :func:`kernel_matrices`; the fourth from ``x``, ``[N, C,
        V, T]``, by the weight ``last``, ``[O, C]``.
        """
        n, channels, v, t = x.shape
        width = hidden.shape[1] // 3
        windows = FrameWindows(x, width, v, t, stride)
        frames = (t - 1) // stride + 1
        out = x.new_empty((n, 3 * width + len(last), v, frames))
        for sample, source, target in zip(hidden, x, out):
            windows.inner.copy_(sample.view_as(windows.inner))
            convolved = target[: 2 * width].view(2, width, -1)
            torch.bmm(kernels, windows.columns(), out=convolved)
            windows.pool(target[2 * width : 3 * width])
            source = source[..., ::stride].reshape(channels, -1)
            torch.mm(last, source, out=target[3 * width :].flatten(1))
        ctx.stride = stride
        ctx.save_for_backward(hidden, x, kernels, last, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Computes the gradients of the four tensors."""
        refuse_second_derivative()
        hidden, x, kernels, last, out = ctx.saved_tensors
        stride = ctx.stride
        grad_out = grads[0].contiguous()
        channels, v, t = x.shape[1:]
        width = hidden.shape[1] // 3
        forward = FrameWindows(x, width, v, t, stride)
        # The gradient of a convolution is one with the kernel turned round, over the
        # gradients with zeros in place of the frames that the stride left out.
        backward = FrameWindows(x, width, v, t, 1)
        grad_pooled = FrameWindows(x, width, v, t, stride)
        turned = kernels.view(2, width, TAPS, width).flip(2).transpose(1, 3).flatten(2)
        grad_hidden, grad_kernels = torch.empty_like(hidden), torch.zeros_like(kernels)
        grad_last = torch.zeros_like(last)
        grad_x = torch.empty_like(x) if stride == 1 else torch.zeros_like(x)
        samples = zip(hidden, x, out, grad_out, grad_hidden, grad_x)
        for sample, source, target, grad, grad_sample, grad_source in samples:
            forward.inner.copy_(sample.view_as(forward.inner))
            convolved = grad[: 2 * width].view(2, width, v, -1)
            columns = forward.columns()
            grad_kernels.baddbmm_(convolved.flatten(2), columns.transpose(1, 2))
            backward.inner[:2, ..., ::stride] = convolved
            to_convolved = grad_sample[: 2 * width].view(2, width, -1)
            torch.bmm(turned, backward.columns(), out=to_convolved)
            pooled = slice(2 * width, 3 * width)
            _pool_backward(grad[pooled], target[pooled], forward, grad_pooled)
            grad_sample[pooled] = grad_pooled.inner[2]
            grad = grad[3 * width :].flatten(1)
            strided = source[..., ::stride].reshape(channels, -1)
            grad_last.addmm_(grad, strided.t())
            if stride == 1:
                torch.mm(last.t(), grad, out=grad_source.flatten(1))
            else:
                product = torch.mm(last.t(), grad)
                grad_source[..., ::stride] = product.view(channels, v, -1)
        return grad_hidden, grad_x, grad_kernels, grad_last, None


def _pool_backward(
    grad: Tensor, out: Tensor, values: FrameWindows, grads: FrameWindows
) -> None:
    """Passes the gradient to the first of the largest frames."""
    grads.buffer[2].zero_()
    for value, target in zip(values.neighbours[:2], grads.neighbours[:2]):
        chosen = torch.eq(value, out, out=torch.empty_like(out)).mul_(grad)
        grad = grad - chosen
        target.add_(chosen)
    grads.neighbours[2].add_(grad)


def _train(
    unit: TemporalConv, x: Tensor, residual: Tensor | None = None, relu: bool = False
) -> Tensor:
    out = unit.conv.convolve(x, unit.conv.weight, None)
    return batch_norm(out, [unit.bn], unit.conv.bias, residual, relu=relu)


def _infer(
    unit: TemporalConv, x: Tensor, residual: Tensor | None = None, relu: bool = False
) -> Tensor:
    weight, bias = fold(unit.bn, unit.conv.weight, unit.conv.bias)
    return units.add_residual(unit.conv.convolve(x, weight, bias), residual, relu)


def _train_branches(
    unit: MultiScaleTemporalConv,
    x: Tensor,
    residual: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    branches: Any = unit.branches
    narrow, wide, pooled, last = branches
    heads = (narrow, wide, pooled)
    weight = torch.cat([head[0].weight.flatten(1) for head in heads])
    reduced, x = apply_function(PassingPointwise, x, weight)
    bias = torch.cat([head[0].bias for head in heads])
    hidden = batch_norm(reduced, [head[1] for head in heads], bias, relu=True)
    frames = (narrow[3], wide[3])
    kernels = kernel_matrices([frame.conv.weight for frame in frames])
    w_last, stride = last[0].weight.flatten(1), last[0].stride[0]
    out = apply_function(TemporalBranches, hidden, x, kernels, w_last, stride)
    biases = [frame.conv.bias for frame in frames]
    # There is no convolution between the pooling and its normalization.
    biases += [torch.zeros_like(pooled[4].bias), last[0].bias]
    norms = [*(frame.bn for frame in frames), pooled[4], last[1]]
    inner = unit.relu and residual is not None
    return batch_norm(
        out, norms, torch.cat(biases), residual, inner, relu or unit.relu != inner
    )


def _infer_branches(
    unit: MultiScaleTemporalConv,
    x: Tensor,
    residual: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    branches: Any = unit.branches
    narrow, wide, pooled, last = branches
    heads = [fold(b[1], b[0].weight, b[0].bias) for b in (narrow, wide, pooled)]
    w_head, b_head = (torch.cat(parts) for parts in zip(*heads))
    w_head, b_head = w_head.flatten(1), b_head[:, None]
    frames = [fold(b[3].bn, b[3].conv.weight, b[3].conv.bias) for b in (narrow, wide)]
    kernels = kernel_matrices([weight for weight, _ in frames])
    b_kernels = torch.stack([bias for _, bias in frames]).unsqueeze(-1)
    scale, shift = (part.view(-1, 1, 1) for part in scale_and_shift(pooled[4]))
    w_last, b_last = fold(last[1], last[0].weight, last[0].bias)
    w_last, b_last = w_last.flatten(1), b_last[:, None]
    x = x.contiguous()
    n, channels, v, t = x.shape
    width, stride = len(scale), last[0].stride[0]
    windows = FrameWindows(x, width, v, t, stride)
    hidden = x.new_empty((3 * width, v * t))
    out = x.new_empty((n, channels, v, (t - 1) // stride + 1))
    for i, (source, target) in enumerate(zip(x, out)):
        torch.addmm(b_head, w_head, source.flatten(1), out=hidden)
        torch.clamp_min(hidden.view_as(windows.inner), 0, out=windows.inner)
        convolved = target[: 2 * width].view(2, width, -1)
        torch.baddbmm(b_kernels, kernels, windows.columns(), out=convolved)
        maximum = target[2 * width : 3 * width]
        windows.pool(maximum)
        maximum.mul_(scale).add_(shift)
        source = source[..., ::stride].reshape(channels, -1)
        torch.addmm(b_last, w_last, source, out=target[3 * width :].flatten(1))
        if unit.relu:
            target.relu_()
        if residual is not None:
            target.add_(residual[i])
        if relu:
            target.relu_()
    return out


_CONV = [TemporalConv, FrameConv, nn.BatchNorm2d]
_HEAD = [nn.Sequential, FrameConv, nn.BatchNorm2d, nn.ReLU]
_POOLED = [*_HEAD, nn.MaxPool2d, nn.BatchNorm2d]
_LAST = [nn.Sequential, FrameConv, nn.BatchNorm2d]
_BRANCHES = [nn.ModuleList, *_HEAD, *_CONV, *_HEAD, *_CONV, *_POOLED, *_LAST]
FORMS[TemporalConv] = CpuForms([_CONV], _train, _infer)
FORMS[MultiScaleTemporalConv] = CpuForms(
    [[MultiScaleTemporalConv, *_BRANCHES]], _train_branches, _infer_branches
)
