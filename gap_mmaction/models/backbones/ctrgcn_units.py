"""The units of CTR-GCN, in an ``[N, C, V, T]`` layout.

With time innermost the graph product and the 1x1 convolutions are plain matrix
products over contiguous rows. Parameters keep the names and shapes of mmaction2's
project, so that state dicts load as they are. Each unit has a plain form and, for
CPUs, one for training and one for inference, see :mod:`.fast_path`.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batch_norm import batch_norm, fold, scale_and_shift
from .fast_path import Path, apply_function, choose_path
from .graph_product import GraphProduct, add_graph_product, graph_product
from .temporal_branches import (
    FrameWindows,
    PassingPointwise,
    TemporalBranches,
    kernel_matrices,
)

Parts = list[tuple[nn.Module, type[nn.Module]]]


class PointwiseConv(nn.Conv2d):
    """A 1x1 convolution, with a stride in time, as a matrix product.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride in time.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, 1, (stride, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, V, T]`` to ``[N, O, V, T']``."""
        return self.convolve(x, self.weight, self.bias)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Do so with another weight and bias."""
        return pointwise(x, weight, bias, self.stride[0])


def pointwise(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1
) -> Tensor:
    """Apply a 1x1 convolution as a matrix product.

    Args:
        x: ``[N, C, V, T]``.
        weight: ``[O, C, 1, 1]`` or ``[O, C]``.
        bias: ``[O]``; ``None`` for none.
        stride: Stride in time.

    Returns:
        ``[N, O, V, T']``.
    """
    if stride != 1:
        x = x[..., ::stride]
    n, _, v, t = x.shape
    matrix = weight.flatten(1).expand(n, -1, -1)
    if bias is None:
        return torch.bmm(matrix, x.flatten(2)).view(n, -1, v, t)
    return torch.baddbmm(bias[None, :, None], matrix, x.flatten(2)).view(n, -1, v, t)


def make_down(in_channels: int, out_channels: int) -> nn.Module:
    """Make the path around a graph convolution: the identity where that fits."""
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        PointwiseConv(in_channels, out_channels), nn.BatchNorm2d(out_channels)
    )


class FrameConv(nn.Conv2d):
    """A convolution over frames, whose parameter is stored for ``[N, C, T, V]``.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Frames under the kernel.
        stride: Stride in time.
        dilation: Dilation in time.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            (kernel_size, 1),
            stride=(stride, 1),
            padding=((kernel_size - 1) * dilation // 2, 0),
            dilation=(dilation, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, V, T]`` to ``[N, O, V, T']``."""
        return self.convolve(x, self.weight, self.bias)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Do so with another weight and bias."""
        return F.conv2d(
            x,
            weight.transpose(2, 3),
            bias,
            (1, self.stride[0]),
            (0, int(self.padding[0])),
            (1, self.dilation[0]),
        )


class TemporalConv(nn.Module):
    """A convolution over time and batch normalization.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Frames under the kernel.
        stride: Stride in time.
        dilation: Dilation in time.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.conv: nn.Module = (
            PointwiseConv(in_channels, out_channels, stride)
            if kernel_size == 1
            else FrameConv(in_channels, out_channels, kernel_size, stride, dilation)
        )
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(
        self, x: Tensor, residual: Tensor | None = None, relu: bool = False
    ) -> Tensor:
        """Map ``[N, C, V, T]`` to ``[N, O, V, T']``.

        Args:
            x: The input.
            residual: What to add to the output.
            relu: Whether to end in a ReLU.
        """
        return conv_norm(self.conv, self.bn, x, residual, relu)


def conv_norm(
    conv: nn.Module,
    norm: nn.Module,
    x: Tensor,
    residual: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """Compute ``relu(norm(conv(x)) + residual)``, in the form that fits.

    Args:
        conv: A :class:`PointwiseConv` or :class:`FrameConv`.
        norm: The batch normalization.
        x: ``[N, C, V, T]``.
        residual: ``[N, O, V, T']``; ``None`` for none.
        relu: Whether there is a ReLU.

    Returns:
        ``[N, O, V, T']``.
    """
    kind = FrameConv if isinstance(conv, FrameConv) else PointwiseConv
    path = choose_path((conv, norm), x, [(conv, kind), (norm, nn.BatchNorm2d)])
    if path is Path.PLAIN:
        return _add(norm(conv(x)), residual, relu)
    assert isinstance(conv, (PointwiseConv, FrameConv))
    assert isinstance(norm, nn.BatchNorm2d)
    if path is Path.INFERENCE:
        return _add(
            conv.convolve(x, *fold(norm, conv.weight, conv.bias)), residual, relu
        )
    out = conv.convolve(x, conv.weight, None)
    return batch_norm(out, [norm], conv.bias, residual, relu=relu)


def _add(x: Tensor, residual: Tensor | None, relu: bool) -> Tensor:
    if residual is not None:
        x = x + residual
    return x.relu_() if relu else x


class TemporalMaxPool(nn.Module):
    """Max-pooling over three frames with a stride in time; has no parameters."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, V, T]`` to ``[N, C, V, T']``."""
        return F.max_pool2d(x, (1, 3), (1, self.stride), (0, 1))


class MultiScaleTemporalConv(nn.Module):
    """Two dilated convolutions, a max-pooling and a 1x1 branch over time, side by side.

    Args:
        channels: Channels of input and output.
        stride: Stride in time.
        relu: Whether a ReLU follows the concatenation, as in mmaction2's project; the
            authors' code has none.
    """

    def __init__(self, channels: int, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        width = channels // 4
        rest = channels - 3 * width
        self.relu = relu

        def head() -> list[nn.Module]:
            return [PointwiseConv(channels, width), nn.BatchNorm2d(width), nn.ReLU()]

        self.branches = nn.ModuleList(
            nn.Sequential(*head(), TemporalConv(width, width, 5, stride, dilation))
            for dilation in (1, 2)
        )
        self.branches.append(
            nn.Sequential(*head(), TemporalMaxPool(stride), nn.BatchNorm2d(width))
        )
        self.branches.append(
            nn.Sequential(PointwiseConv(channels, rest, stride), nn.BatchNorm2d(rest))
        )

    def forward(
        self, x: Tensor, residual: Tensor | None = None, relu: bool = False
    ) -> Tensor:
        """Map ``[N, C, V, T]`` to ``[N, C, V, T']``.

        Args:
            x: The input.
            residual: What to add to the output.
            relu: Whether to end in a (further) ReLU.
        """
        path = choose_path([self], x, self._parts())
        if path is Path.TRAINING:
            return self._train(x, residual, relu)
        if path is Path.INFERENCE:
            return self._infer(x.contiguous(), residual, relu)
        out = torch.cat([branch(x) for branch in self.branches], dim=1)
        return _add(out.relu_() if self.relu else out, residual, relu)

    def _parts(self) -> Parts:
        """Give all modules, with the classes that the fast forms are made for."""
        head: list[type[nn.Module]] = [PointwiseConv, nn.BatchNorm2d, nn.ReLU]
        kinds = [
            [*head, TemporalConv],
            [*head, TemporalConv],
            [*head, TemporalMaxPool, nn.BatchNorm2d],
            [PointwiseConv, nn.BatchNorm2d],
        ]
        parts: Parts = []
        for branch, of_branch in zip(self.branches, kinds):
            parts.append((branch, nn.Sequential))
            parts.extend(zip(branch.children(), of_branch))
        for module in self.modules():
            if isinstance(module, TemporalConv):
                parts.append((module.conv, FrameConv))
                parts.append((module.bn, nn.BatchNorm2d))
        return parts

    def _train(self, x: Tensor, residual: Tensor | None, relu: bool) -> Tensor:
        # The modules are those of `_parts`.
        branches: Any = self.branches
        narrow, wide, pooled, last = branches
        heads = (narrow, wide, pooled)
        frames = (narrow[3], wide[3])
        weight = torch.cat([head[0].weight.flatten(1) for head in heads])
        reduced, x = apply_function(PassingPointwise, x, weight)
        hidden = batch_norm(
            reduced,
            [head[1] for head in heads],
            torch.cat([head[0].bias for head in heads]),
            relu=True,
        )
        out = apply_function(
            TemporalBranches,
            hidden,
            x,
            kernel_matrices([frame.conv.weight for frame in frames]),
            last[0].weight.flatten(1),
            last[0].stride[0],
        )
        biases = [frame.conv.bias for frame in frames]
        # There is no convolution between the pooling and its normalization.
        biases += [torch.zeros_like(pooled[4].bias), last[0].bias]
        norms = [*(frame.bn for frame in frames), pooled[4], last[1]]
        inner = self.relu and residual is not None
        return batch_norm(
            out, norms, torch.cat(biases), residual, inner, relu or self.relu != inner
        )

    def _infer(self, x: Tensor, residual: Tensor | None, relu: bool) -> Tensor:
        branches: Any = self.branches
        narrow, wide, pooled, last = branches
        heads = [fold(b[1], b[0].weight, b[0].bias) for b in (narrow, wide, pooled)]
        w_head, b_head = (torch.cat(parts) for parts in zip(*heads))
        w_head, b_head = w_head.flatten(1), b_head[:, None]
        frames = [
            fold(b[3].bn, b[3].conv.weight, b[3].conv.bias) for b in (narrow, wide)
        ]
        kernels = kernel_matrices([weight for weight, _ in frames])
        b_kernels = torch.stack([bias for _, bias in frames]).unsqueeze(-1)
        scale, shift = (part.view(-1, 1, 1) for part in scale_and_shift(pooled[4]))
        w_last, b_last = fold(last[1], last[0].weight, last[0].bias)
        w_last, b_last = w_last.flatten(1), b_last[:, None]

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
            if self.relu:
                target.relu_()
            if residual is not None:
                target.add_(residual[i])
            if relu:
                target.relu_()
        return out


class RefinementConv(nn.Module):
    """The parameters of one subset of a channel-wise topology refinement (CTR-GC).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        relation_channels: Channels R of the relations between joints.
    """

    def __init__(
        self, in_channels: int, out_channels: int, relation_channels: int
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, relation_channels, 1)
        self.conv2 = nn.Conv2d(in_channels, relation_channels, 1)
        self.conv3 = nn.Conv2d(in_channels, out_channels, 1)
        self.conv4 = nn.Conv2d(relation_channels, out_channels, 1)


class RefinementGraphConv(nn.Module):
    """Channel-wise topology refinement graph convolution over all subsets.

    CTR-GCN (ICCV 2021), section 3.2, in one of two published forms that differ in the
    index that is summed over.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        relation_channels: Channels of the relations between joints.
        adjacency: ``[3, V, V]``, where the learned topology starts.
        authors: Whether to sum over the last index of the adjacency as the authors'
            code does, instead of the first as mmaction2's project does.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        relation_channels: int,
        adjacency: Tensor,
        authors: bool = False,
    ) -> None:
        super().__init__()
        self.authors = authors
        self.A = nn.Parameter(adjacency.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.convs = nn.ModuleList(
            RefinementConv(in_channels, out_channels, relation_channels)
            for _ in range(adjacency.shape[0])
        )
        self.down = make_down(in_channels, out_channels)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, V, T]`` to ``[N, O, V, T]``."""
        path = choose_path([self], x, self._parts())
        if path is Path.INFERENCE:
            return self._infer(x.contiguous())
        operands = self._operands(x)
        if path is Path.PLAIN:
            return F.relu_(self.bn(graph_product(x, *operands)) + self.down(x))
        out, residual = apply_function(GraphProduct, x, *operands)
        if isinstance(self.down, nn.Sequential):
            residual = conv_norm(self.down[0], self.down[1], residual)
        return batch_norm(out, [self.bn], residual=residual, relu=True)

    def _parts(self) -> Parts:
        """Give all modules, with the classes that the fast forms are made for."""
        parts: Parts = [(self.bn, nn.BatchNorm2d)]
        for conv in self.convs:
            parts.append((conv, RefinementConv))
            parts.extend((child, nn.Conv2d) for child in conv.children())
        if isinstance(self.down, nn.Sequential):
            kinds = (PointwiseConv, nn.BatchNorm2d)
            parts += [(self.down, nn.Sequential), *zip(self.down.children(), kinds)]
        else:
            parts.append((self.down, nn.Identity))
        return parts

    def _infer(self, x: Tensor) -> Tensor:
        relation, w3, b3, w4 = self._operands(x)
        scale, shift = scale_and_shift(self.bn)
        w4, b3 = w4 * scale[:, None], b3[:, None]
        shift = shift[:, None]
        w_down: Tensor | None = None
        if isinstance(self.down, nn.Sequential):
            conv: Any = self.down[0]
            norm: Any = self.down[1]
            w_down, b_down = fold(norm, conv.weight.flatten(1), conv.bias)
            shift = shift + b_down[:, None]
        n, _, v, t = x.shape
        hidden = x.new_empty((len(w3), v * t))
        graph = x.new_empty((*w4.shape[:2], v * v))
        out = x.new_empty((n, len(scale), v, t))
        rows = x.flatten(2)
        for source, of_sample, target in zip(rows, relation, out):
            flat = target.flatten(1)
            if w_down is None:
                torch.add(source, shift, out=flat)
            else:
                torch.addmm(shift, w_down, source, out=flat)
            add_graph_product(target, source, of_sample, w3, b3, w4, hidden, graph)
            target.relu_()
        return out

    def _operands(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give relation, w3, b3 and w4 of :func:`graph_product`.

        The scale alpha, conv4's bias and the shared topology A become two further
        channels of the relation: ``alpha (W4 D + b4) + A = [alpha W4, alpha b4, 1]
        [D; 1; A]``.
        """
        n, _, v, t = x.shape
        subsets = len(self.convs)
        # A 1x1 convolution and a mean over time commute: the mean goes first.
        pair = ("conv1", "conv2")
        ends = torch.baddbmm(
            torch.cat([self._stack(name, "bias") for name in pair])[None, :, None],
            torch.cat([self._stack(name, "weight") for name in pair]).expand(n, -1, -1),
            # Unlike that of a mean, the gradient of a sum is not written out.
            x.sum(-1) / t,
        )
        source, target = ends.view(n, 2, subsets, -1, v).unbind(1)
        adjacency: Tensor = self.A
        if self.authors:
            difference = source.unsqueeze(-1) - target.unsqueeze(-2)
        else:
            difference = source.unsqueeze(-2) - target.unsqueeze(-1)
            adjacency = adjacency.transpose(1, 2)
        shared = torch.stack((torch.ones_like(adjacency), adjacency), dim=1)
        relation = torch.cat(
            (difference.tanh_().flatten(3), shared.flatten(2).expand(n, -1, -1, -1)),
            dim=2,
        )
        b4 = self._stack("conv4", "bias").view(subsets, -1, 1)
        w4 = self._stack("conv4", "weight").view(subsets, b4.shape[1], -1)
        w4 = torch.cat((w4 * self.alpha, b4 * self.alpha, torch.ones_like(b4)), dim=2)
        w3, b3 = self._stack("conv3", "weight"), self._stack("conv3", "bias")
        return relation, w3, b3, w4

    def _stack(self, conv: str, kind: str) -> Tensor:
        """Concatenate a parameter of all subsets along its output channels."""
        stacked = torch.cat([getattr(getattr(c, conv), kind) for c in self.convs])
        return stacked.flatten(1) if kind == "weight" else stacked
