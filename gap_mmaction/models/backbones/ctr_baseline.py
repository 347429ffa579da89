"""The baseline of CTR-GCN's paper."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from .ctrgcn_units import PointwiseConv, TemporalConv, make_down
from .stacked_gcn import StackedGCN, init_norm, init_units


class SharedGraphConv(nn.Module):
    """A graph convolution with a free topology per subset, shared by all channels.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        num_joints: Number of joints V.
        subsets: Number of topologies; each starts as the identity.
    """

    def __init__(
        self, in_channels: int, out_channels: int, num_joints: int, subsets: int = 3
    ) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.eye(num_joints).repeat(subsets, 1, 1))
        self.conv_d = nn.ModuleList(
            PointwiseConv(in_channels, out_channels) for _ in range(subsets)
        )
        self.down = make_down(in_channels, out_channels)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, V, T]`` to ``[N, O, V, T]``."""
        # The small constant and its place are those of the authors' code.
        topology = self.A / (self.A.norm(dim=1, keepdim=True) + 1e-4)
        out: Tensor | None = None
        for graph, conv in zip(topology, self.conv_d):
            y = conv(torch.matmul(graph.t(), x))
            out = y if out is None else out + y
        assert out is not None
        return (self.bn(out) + self.down(x)).relu_()


@MODELS.register_module()
class CTRBaseline(StackedGCN):
    """The baseline of CTR-GCN's ablations: shared topologies, one temporal scale.

    Matches ``model/baseline.py`` of CTR-GCN's authors; GAP's Table 1d calls it
    CTR-baseline. Load the authors' weights with
    :func:`~gap_mmaction.models.backbones.ctrgcn.convert_authors_state_dict`.

    Args:
        graph_cfg: ``dict(layout=...)``; only the number of joints is used.
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
        super().__init__(
            graph_cfg,
            in_channels,
            base_channels,
            num_stages,
            inflate_stages,
            down_stages,
            num_person,
            init_cfg,
        )

    def _make_gcn(self, in_channels: int, out_channels: int) -> nn.Module:
        gcn = SharedGraphConv(in_channels, out_channels, self.skeleton.num_joints)
        init_units(gcn)
        init_norm(gcn.bn, 1e-6)
        return gcn

    def _make_tcn(self, channels: int, stride: int) -> tuple[nn.Module, bool]:
        tcn = TemporalConv(channels, channels, 5, stride)
        init_units(tcn)
        return tcn, False
