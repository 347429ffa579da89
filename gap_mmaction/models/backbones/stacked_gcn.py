"""What the backbones of CTR-GCN's authors have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from gap_mmaction.skeletons import Layout, Skeleton, get_skeleton

from .ctrgcn_units import TemporalConv


class ResidualBlock(nn.Module):
    """A graph convolution, a temporal one and a residual path around both.

    Args:
        gcn: Maps ``[N, C, V, T]`` to ``[N, O, V, T]``.
        tcn: Maps ``[N, O, V, T]`` to ``[N, O, V, T']``; is given the residual that it
            shall add, and whether a ReLU follows.
        residual: The path around them; ``None`` for none.
        relu: Whether a ReLU follows the sum. It may be left out where every summand
            is non-negative already.
    """

    def __init__(
        self, gcn: nn.Module, tcn: nn.Module, residual: nn.Module | None, relu: bool
    ) -> None:
        super().__init__()
        self.gcn1 = gcn
        self.tcn1 = tcn
        self.residual = residual
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, V, T]`` to ``[N, O, V, T']``."""
        residual = None if self.residual is None else self.residual(x)
        return self.tcn1(self.gcn1(x), residual, self.relu)


class StackedGCN(BaseModule):
    """Batch normalization of the input and a stack of residual GCN blocks.

    Subclasses give the blocks' graph and temporal convolutions.

    Args:
        graph_cfg: ``layout`` (a name or a dict, see
            :func:`gap_mmaction.skeletons.get_skeleton`) and, as mmaction2 has it,
            ``mode``, which must be ``'spatial'``.
        in_channels: Coordinates per joint.
        base_channels: Width of the first block.
        num_stages: Number of blocks.
        inflate_stages: Blocks, counted from 1, that double the width.
        down_stages: Blocks, counted from 1, that halve the number of frames.
        num_person: Persons M per sample.
        init_cfg: mmengine's initialization config.
    """

    def __init__(
        self,
        graph_cfg: dict,
        in_channels: int = 3,
        base_channels: int = 64,
        num_stages: int = 10,
        inflate_stages: Sequence[int] = (5, 8),
        down_stages: Sequence[int] = (5, 8),
        num_person: int = 2,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.skeleton = skeleton_of_graph(graph_cfg)
        self.num_person = num_person
        self.in_channels = in_channels
        self.data_bn = nn.BatchNorm1d(
            num_person * in_channels * self.skeleton.num_joints
        )
        self.net = nn.ModuleList()
        width = base_channels
        for stage in range(1, num_stages + 1):
            source = in_channels if stage == 1 else width
            if stage > 1 and stage in inflate_stages:
                width = 2 * width
            stride = 2 if stage > 1 and stage in down_stages else 1
            self.net.append(self._make_block(source, width, stride, stage > 1))
        self.out_channels = width

    def _make_block(
        self, in_channels: int, out_channels: int, stride: int, residual: bool
    ) -> ResidualBlock:
        path: nn.Module | None = None
        if residual and in_channels == out_channels and stride == 1:
            path = nn.Identity()
        elif residual:
            path = TemporalConv(in_channels, out_channels, 1, stride)
            init_units(path)
        tcn, non_negative = self._make_tcn(out_channels, stride)
        # The input of a block is the output of a ReLU, so that only a convolution
        # on the residual path can make the sum negative.
        relu = not non_negative or isinstance(path, TemporalConv)
        gcn = self._make_gcn(in_channels, out_channels)
        return ResidualBlock(gcn, tcn, path, relu)

    @abstractmethod
    def _make_gcn(self, in_channels: int, out_channels: int) -> nn.Module:
        """Build a block's graph convolution."""

    @abstractmethod
    def _make_tcn(self, channels: int, stride: int) -> tuple[nn.Module, bool]:
        """Build a block's temporal convolution; say if it ends in a ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """Compute the feature map.

        Args:
            x: Skeletons ``[N, M, T, V, C]``.

        Returns:
            ``[N, M, C', T', V]``, T' about T / 4 by default.

        Raises:
            ValueError: If M, V or C are not those that the backbone was built for.
        """
        n, m, t, v, c = x.shape
        expected = (self.num_person, self.skeleton.num_joints, self.in_channels)
        if (m, v, c) != expected:
            raise ValueError(
                f"the backbone expects (num_person, joints, in_channels) = {expected} "
                f"(layout {self.skeleton.name!r}), the data have {(m, v, c)}; set "
                "graph_cfg.layout, num_person and in_channels to those of the data"
            )
        x = x.permute(0, 1, 3, 4, 2).reshape(n, m * v * c, t)
        x = self.data_bn(x).view(n * m, v, c, t).transpose(1, 2).contiguous()
        for block in self.net:
            x = block(x)
        return x.transpose(2, 3).reshape(n, m, self.out_channels, -1, v)


def skeleton_of_graph(graph_cfg: dict) -> Skeleton:
    """Read the skeleton out of mmaction2's ``graph_cfg``.

    Raises:
        ValueError: If there is no layout, an unknown key, or a mode other than
            ``'spatial'``.
    """
    unknown = sorted(set(graph_cfg) - {"layout", "mode"})
    if unknown or "layout" not in graph_cfg:
        raise ValueError(
            f"graph_cfg {dict(graph_cfg)!r} must have the key 'layout' and may have "
            f"'mode'; unknown: {unknown}"
        )
    mode = graph_cfg.get("mode", "spatial")
    if mode != "spatial":
        raise ValueError(f"graph_cfg.mode is {mode!r}, CTR-GCN is made for 'spatial'")
    layout: Layout = graph_cfg["layout"]
    return get_skeleton(layout)


def init_conv(conv: nn.Conv2d) -> None:
    """Draw a convolution's weight as CTR-GCN's authors do (He, fan out)."""
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def init_norm(norm: nn.BatchNorm2d, scale: float = 1.0) -> None:
    """Set a batch normalization's scale."""
    nn.init.constant_(norm.weight, scale)
    nn.init.zeros_(norm.bias)


def init_units(module: nn.Module) -> None:
    """Draw the weights of every convolution and normalization below a module."""
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            init_conv(child)
        elif isinstance(child, nn.BatchNorm2d):
            init_norm(child)


def adjacency_of(skeleton: Skeleton, authors: bool) -> Tensor:
    """Give a skeleton's adjacency ``[3, V, V]`` as a tensor."""
    return torch.from_numpy(skeleton.adjacency(authors=authors))
