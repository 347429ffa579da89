"""The units of CTR-GCN, in an ``[N, C, V, T]`` layout.

With time innermost the graph product and the 1x1 convolutions are plain matrix
products over contiguous rows. Parameters keep the names and shapes of mmaction2's
project, so that state dicts load as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .graph_product import graph_product


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
        stride = self.stride[0]
        if stride != 1:
            x = x[..., ::stride]
        n, _, v, t = x.shape
        assert self.bias is not None
        weight = self.weight.flatten(1).expand(n, -1, -1)
        out = torch.baddbmm(self.bias[None, :, None], weight, x.flatten(2))
        return out.view(n, -1, v, t)


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
        return F.conv2d(
            x,
            self.weight.transpose(2, 3),
            self.bias,
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

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, V, T]`` to ``[N, O, V, T']``."""
        return self.bn(self.conv(x))


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

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, V, T]`` to ``[N, C, V, T']``."""
        out = torch.cat([branch(x) for branch in self.branches], dim=1)
        return out.relu_() if self.relu else out


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
        out = graph_product(x, *self._operands(x))
        return F.relu_(self.bn(out) + self.down(x))

    def _operands(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give relation, w3, b3 and w4 of :func:`graph_product`.

        The scale alpha, conv4's bias and the shared topology A become two further
        channels of the relation: ``alpha (W4 D + b4) + A = [alpha W4, alpha b4, 1]
        [D; 1; A]``.
        """
        n, _, v, _ = x.shape
        subsets = len(self.convs)
        # A 1x1 convolution and a mean over time commute: the mean goes first.
        source, target = (
            torch.baddbmm(
                self._stack(name, "bias")[None, :, None],
                self._stack(name, "weight").expand(n, -1, -1),
                x.mean(-1),
            ).view(n, subsets, -1, v)
            for name in ("conv1", "conv2")
        )
        adjacency: Tensor = self.A
        if self.authors:
            difference = source.unsqueeze(-1) - target.unsqueeze(-2)
        else:
            difference = source.unsqueeze(-2) - target.unsqueeze(-1)
            adjacency = adjacency.transpose(1, 2)
        shared = torch.stack((torch.ones_like(adjacency), adjacency), dim=1)
        relation = torch.cat(
            (difference.tanh().flatten(3), shared.flatten(2).expand(n, -1, -1, -1)),
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
