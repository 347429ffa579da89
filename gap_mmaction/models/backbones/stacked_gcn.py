"""What the backbones of CTR-GCN's authors have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from gap_mmaction.skeletons import Skeleton, get_skeleton

from .ctrgcn_units import MultiScaleTemporalConv, TemporalConv, init_convs


class ResidualBlock(nn.Module):
    """A graph convolution, a temporal one and a residual path around both.

    Args:
        gcn: Maps ``[N, C, V, T]`` to ``[N, O, V, T]``.
        tcn: Maps ``[N, O, V, T]`` to ``[N, O, V, T']``, adds the residual and, where
            it is asked to, ends in a ReLU.
        residual: The path around them; ``None`` for none.
    """

    def __init__(
        self, gcn: nn.Module, tcn: nn.Module, residual: nn.Module | None
    ) -> None:
        super().__init__()
        self.gcn1 = gcn
        self.tcn1 = tcn
        self.residual = residual
        # The input is the output of a ReLU. Behind a temporal convolution that ends in
        # one too, only a convolution on the residual path can make the sum negative.
        non_negative = isinstance(tcn, MultiScaleTemporalConv) and tcn.relu
        self.relu = not non_negative or isinstance(residual, TemporalConv)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[N, C, V, T]`` to ``[N, O, V, T']``."""
        residual = None if self.residual is None else self.residual(x)
        return self.tcn1(self.gcn1(x), residual, self.relu)


class StackedGCN(BaseModule):
    """Batch normalization of the input and a stack of residual GCN blocks.

    Subclasses make the blocks' graph and temporal convolutions. The arguments are those
    of :class:`~.ctrgcn.CTRGCN` but ``variant`` and ``temporal``.
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
            path: nn.Module | None = None
            if stage > 1 and source == width and stride == 1:
                path = nn.Identity()
            elif stage > 1:
                path = TemporalConv(source, width, 1, stride)
                init_convs(path)
            tcn = self._make_tcn(width, stride)
            self.net.append(ResidualBlock(self._make_gcn(source, width), tcn, path))
        self.out_channels = width

    @abstractmethod
    def _make_gcn(self, in_channels: int, out_channels: int) -> nn.Module:
        """Makes a block's graph convolution."""

    @abstractmethod
    def _make_tcn(self, channels: int, stride: int) -> nn.Module:
        """Makes a block's temporal convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """Computes the feature map.

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
    """Reads the skeleton out of mmaction2's ``graph_cfg``, or tells what is wrong."""
    unknown = sorted(set(graph_cfg) - {"layout", "mode"})
    if unknown or "layout" not in graph_cfg:
        raise ValueError(
            f"graph_cfg {dict(graph_cfg)!r} must have the key 'layout' and may have "
            f"'mode'; unknown: {unknown}"
        )
    if (mode := graph_cfg.get("mode", "spatial")) != "spatial":
        raise ValueError(f"graph_cfg.mode is {mode!r}, CTR-GCN is made for 'spatial'")
    return get_skeleton(graph_cfg["layout"])
