"""The baseline of CTR-GCN's paper."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gap_mmaction.openmmlab import MODELS

from .ctrgcn import StackedGCN
from .ctrgcn_units import FrameConv, init_convs, make_down


class SharedGraphConv(nn.Module):
    """A graph convolution with three free topologies, shared by all channels.

    Each of the topologies starts as the identity.
    """

    def __init__(self, in_channels: int, out_channels: int, num_joints: int) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.eye(num_joints).repeat(3, 1, 1))
        convs = (FrameConv(in_channels, out_channels) for _ in range(3))
        self.conv_d = nn.ModuleList(convs)
        self.down = make_down(in_channels, out_channels)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[N, C, V, T]`` to ``[N, O, V, T]``."""
        # The small constant and its place are those of the authors' code.
        topology = self.A / (self.A.norm(dim=1, keepdim=True) + 1e-4)
        pairs = zip(topology, self.conv_d)
        first, *others = [conv(torch.matmul(graph.t(), x)) for graph, conv in pairs]
        return (self.bn(sum(others, first)) + self.down(x)).relu_()


@MODELS.register_module()
class CTRBaseline(StackedGCN):
    """The baseline of CTR-GCN's ablations: shared topologies, one temporal scale.

    Matches ``model/baseline.py`` of CTR-GCN's authors; GAP's Table 1d calls it
    CTR-baseline. Load the authors' weights with
    :func:`~gap_mmaction.models.backbones.ctrgcn.convert_authors_state_dict`.

    Of the layout only the number of joints is used.
    """

    def _make_gcn(self, in_channels: int, out_channels: int) -> SharedGraphConv:
        joints = self.skeleton.num_joints
        gcn = init_convs(SharedGraphConv(in_channels, out_channels, joints))
        for name, weight in gcn.conv_d.named_parameters():
            if name.endswith("weight"):  # fan in times fan out times branches
                std = math.sqrt(2 / (weight.numel() * len(gcn.conv_d)))
                nn.init.normal_(weight, std=std)
        return gcn
