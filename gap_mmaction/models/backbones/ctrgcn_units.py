"""The units of CTR-GCN, in an ``[N, C, V, T]`` layout.

With time innermost, the graph product and the 1x1 convolutions are matrix products
over contiguous rows. Parameters keep the names and shapes of mmaction2's project. Each
``forward`` is the plain form; :func:`~.forms.has_forms` runs a faster one in
its place where that fits.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .forms import has_forms

Unit = TypeVar("Unit", bound=nn.Module)

_KINDS = ("weight", "bias")


class FrameConv(nn.Conv2d):
    """A convolution over ``kernel_size`` frames; over one it is a matrix product.

    Its parameter is stored as for ``[N, C, T, V]``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
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
        """Maps ``[N, C, V, T]`` to ``[N, O, V, T']``."""
        return self.convolve(x, self.weight, self.bias)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Applies another weight and bias of the same shapes."""
        stride, dilation, padding = self.stride[0], self.dilation[0], self.padding[0]
        if self.kernel_size[0] > 1:
            weight = weight.transpose(2, 3)
            padding = int(padding)
            return F.conv2d(x, weight, bias, (1, stride), (0, padding), (1, dilation))
        if stride != 1:
            x = x[..., ::stride]
        n, _, v, t = x.shape
        rows, matrix = x.flatten(2), weight.flatten(1).expand(n, -1, -1)
        if bias is None:
            return torch.bmm(matrix, rows).view(n, -1, v, t)
        return torch.baddbmm(bias[None, :, None], matrix, rows).view(n, -1, v, t)


class TemporalConv(nn.Module):
    """A :class:`FrameConv`, whose arguments it takes, and batch normalization."""

    def __init__(self, in_channels: int, out_channels: int, *kernel: int) -> None:
        super().__init__()
        self.conv = FrameConv(in_channels, out_channels, *kernel)
        self.bn = nn.BatchNorm2d(out_channels)

    @has_forms
    def forward(
        self, x: Tensor, residual: Tensor | None = None, relu: bool = False
    ) -> Tensor:
        """Maps ``[N, C, V, T]`` to ``[N, O, V, T']``, then adds the residual."""
        return add_residual(self.bn(self.conv(x)), residual, relu)


class MultiScaleTemporalConv(nn.Module):
    """Two dilated convolutions, a max-pooling and a 1x1 branch over time, side by side.

    A ReLU follows their concatenation in mmaction2's project, none in the authors'
    code.
    """

    def __init__(self, channels: int, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        width = channels // 4
        rest = channels - 3 * width
        self.relu = relu

        def head() -> list[nn.Module]:
            return [FrameConv(channels, width), nn.BatchNorm2d(width), nn.ReLU()]

        self.branches = nn.ModuleList(
            nn.Sequential(*head(), TemporalConv(width, width, 5, stride, dilation))
            for dilation in (1, 2)
        )
        pool = nn.MaxPool2d((1, 3), (1, stride), (0, 1))
        self.branches.append(nn.Sequential(*head(), pool, nn.BatchNorm2d(width)))
        last = FrameConv(channels, rest, stride=stride)
        self.branches.append(nn.Sequential(last, nn.BatchNorm2d(rest)))

    @has_forms
    def forward(
        self, x: Tensor, residual: Tensor | None = None, relu: bool = False
    ) -> Tensor:
        """Maps ``[N, C, V, T]`` to ``[N, C, V, T']``, otherwise as a TemporalConv."""
        out = torch.cat([branch(x) for branch in self.branches], dim=1)
        return add_residual(out.relu_() if self.relu else out, residual, relu)


class RefinementGraphConv(nn.Module):
    """Channel-wise topology refinement graph convolution over all subsets.

    CTR-GCN (ICCV 2021), section 3.2. The learned topology of the S subsets starts as
    ``adjacency``, ``[S, V, V]``. The authors' code sums over its last index,
    mmaction2's project over the first.
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
        relation = (in_channels, relation_channels)
        sizes = dict(conv1=relation, conv2=relation, conv3=(in_channels, out_channels))
        sizes["conv4"] = (relation_channels, out_channels)
        self.convs = nn.ModuleList(
            nn.ModuleDict({name: nn.Conv2d(*size, 1) for name, size in sizes.items()})
            for _ in adjacency
        )
        self.down = make_down(in_channels, out_channels)
        self.bn = nn.BatchNorm2d(out_channels)

    @has_forms
    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[N, C, V, T]`` to ``[N, O, V, T]``."""
        out = graph_product(x, *self.operands(x))
        return F.relu_(self.bn(out) + self.down(x))

    def operands(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns relation, w3, b3 and w4 of :func:`graph_product`.

        The scale alpha, conv4's bias and the shared topology A become two further
        channels of the relation: ``alpha (W4 D + b4) + A = [alpha W4, alpha b4, 1]
        [D; 1; A]``.
        """
        n, _, v, t = x.shape
        subsets = len(self.convs)
        weight, bias = (self._stack(kind, "conv1", "conv2") for kind in _KINDS)
        # A 1x1 convolution and a mean over time commute: the mean goes first. Unlike
        # its gradient, that of a sum is not written out.
        total = x.sum(-1, dtype=x.dtype)
        weight = weight.expand(n, -1, -1)
        ends = torch.baddbmm(bias[None, :, None], weight, total, alpha=1 / t)
        source, target = ends.view(n, 2, subsets, -1, v).unbind(1)
        adjacency: Tensor = self.A
        if self.authors:
            difference = source.unsqueeze(-1) - target.unsqueeze(-2)
        else:
            difference = source.unsqueeze(-2) - target.unsqueeze(-1)
            adjacency = adjacency.transpose(1, 2)
        shared = torch.stack((torch.ones_like(adjacency), adjacency), dim=1)
        shared = shared.to(ends.dtype).flatten(2).expand(n, -1, -1, -1)
        relation = torch.cat((difference.tanh_().flatten(3), shared), dim=2)
        w4, b4 = (self._stack(kind, "conv4") for kind in _KINDS)
        w4 = torch.cat((w4, b4[:, None]), dim=1) * self.alpha
        w4 = torch.cat((w4, torch.ones_like(w4[:, :1])), dim=1)
        w3, b3 = (self._stack(kind, "conv3") for kind in _KINDS)
        return relation, w3, b3, w4.view(subsets, -1, w4.shape[1])

    def _stack(self, kind: str, *names: str) -> Tensor:
        """Concatenates a parameter of all subsets along its output channels."""
        subsets: Any = self.convs
        each = [getattr(convs[name], kind) for name in names for convs in subsets]
        stacked = torch.cat(each)
        return stacked.flatten(1) if kind == "weight" else stacked


def graph_product(
    x: Tensor, relation: Tensor, w3: Tensor, b3: Tensor, w4: Tensor
) -> Tensor:
    """Transforms features and passes them along a channel-wise adjacency.

    ``out[n, c, u, t] = sum_{s, v} G[n, s, c, u, v] h[n, s, c, v, t]`` with
    ``h[n, s, c, v, t] = w3[s, c] x[n, :, v, t] + b3[s, c]`` and
    ``G[n, s, c] = w4[s, c] relation[n, s]``.

    In the code ``x`` is ``[N, C, V, T]``, the relation ``[N, S, R, V * V]``, w3
    ``[S * O, C]``, b3 ``[S * O]`` and w4 ``[S, O, R]``; the result ``[N, O, V, T]``.
    """
    n, _, v, t = x.shape
    subsets, channels = w4.shape[:2]
    hidden = torch.baddbmm(b3[None, :, None], w3.expand(n, -1, -1), x.flatten(2))
    hidden = hidden.view(n, subsets, channels, v, t)
    graph = torch.matmul(w4, relation).view(n, subsets, channels, v, v)
    # Autocast would widen a sum.
    return torch.matmul(graph, hidden).sum(1, dtype=hidden.dtype)


def make_down(in_channels: int, out_channels: int) -> nn.Module:
    """Makes the path around a graph convolution: the identity where that fits."""
    if in_channels == out_channels:
        return nn.Identity()
    conv = FrameConv(in_channels, out_channels)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))


def add_residual(x: Tensor, residual: Tensor | None, relu: bool) -> Tensor:
    """Adds a residual, if there is one, and applies a ReLU, if one is wanted."""
    if residual is not None:
        x = x + residual
    return x.relu_() if relu else x


def init_convs(module: Unit) -> Unit:
    """Draws a unit's convolutions as CTR-GCN's authors do (He, fan out); returns it."""
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out")
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)
    return module
