"""The baseline of CTR-GCN's paper."""

from __future__ import annotations

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from .ctrgcn_units import FrameConv, TemporalConv, init_convs, make_down
from .stacked_gcn import StackedGCN


class SharedGraphConv(nn.Module):
    """A graph convolution with a free topology per subset, shared by all channels.

    Each of the topologies starts as the identity.
    """

    def __init__(
        self, in_channels: int, out_channels: int, num_joints: int, subsets: int = 3
    ) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.eye(num_joints).repeat(subsets, 1, 1))
        self.conv_d = nn.ModuleList(
            FrameConv(in_channels, out_channels) for _ in range(subsets)
        )
        self.down = make_down(in_channels, out_channels)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[N, C, V, T]`` to ``[N, O, V, T]``."""
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

    Of the layout only the number of joints is used.
    """

    def _make_gcn(self, in_channels: int, out_channels: int) -> nn.Module:
        gcn = SharedGraphConv(in_channels, out_channels, self.skeleton.num_joints)
        init_convs(gcn)
        nn.init.constant_(gcn.bn.weight, 1e-6)
        return gcn

    def _make_tcn(self, channels: int, stride: int) -> nn.Module:
        tcn = TemporalConv(channels, channels, 5, stride)
        init_convs(tcn)
        return tcn
