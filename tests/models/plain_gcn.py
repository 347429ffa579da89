"""CTR-GCN and its baseline, stated plainly: what the fast ones are compared with.

After the formulas of the golden files, in the usual layout ``[N, C, T, V]``; names in
the state dicts are those of ``gap_mmaction``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gap_mmaction.skeletons import get_skeleton


def temporal_conv(
    source: int, target: int, kernel: int, stride: int = 1, dilation: int = 1
) -> nn.Module:
    places = (stride, 1), (dilation * (kernel // 2), 0), (dilation, 1)
    conv = nn.Conv2d(source, target, (kernel, 1), *places)
    return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(target)))


class MultiScaleTemporalConv(nn.Module):
    def __init__(self, channels: int, stride: int, relu: bool) -> None:
        super().__init__()
        width, self.relu = channels // 4, relu
        last = channels - 3 * width
        pool = nn.MaxPool2d((3, 1), (stride, 1), (1, 0))
        self.branches = nn.ModuleList()
        for modules in (
            [temporal_conv(width, width, 5, stride, 1)],
            [temporal_conv(width, width, 5, stride, 2)],
            [pool, nn.BatchNorm2d(width)],
        ):
            reduce = nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU()
            self.branches.append(nn.Sequential(*reduce, *modules))
        conv = nn.Conv2d(channels, last, 1, (stride, 1))
        self.branches.append(nn.Sequential(conv, nn.BatchNorm2d(last)))

    def forward(self, x: Tensor) -> Tensor:
        out = torch.cat([branch(x) for branch in self.branches], dim=1)
        return torch.relu(out) if self.relu else out


class RefinementGCN(nn.Module):
    def __init__(self, source: int, target: int, joints: int, authors: bool) -> None:
        super().__init__()
        narrow = source in (3, 9) if authors else source <= 16
        relations = 8 if narrow else source // 8
        self.A = nn.Parameter(torch.zeros(3, joints, joints))
        self.alpha = nn.Parameter(torch.zeros(1))
        sizes = dict(conv1=(source, relations), conv2=(source, relations))
        sizes.update(conv3=(source, target), conv4=(relations, target))
        self.convs = nn.ModuleList(
            nn.ModuleDict({k: nn.Conv2d(*size, 1) for k, size in sizes.items()})
            for _ in range(3)
        )
        self.down = _down(source, target)
        self.bn = nn.BatchNorm2d(target)
        # The authors sum over the last index of the graph, mmaction2 over the first.
        self.sum_ = "ncuv,nctv->nctu" if authors else "ncuv,nctu->nctv"

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor | float = 0.0
        convs: Any
        for convs, adjacency in zip(self.convs, self.A):
            p, q = convs.conv1(x).mean(2), convs.conv2(x).mean(2)
            difference = torch.tanh(p[:, :, :, None] - q[:, :, None, :])
            graph = self.alpha * convs.conv4(difference) + adjacency
            out = out + torch.einsum(self.sum_, graph, convs.conv3(x))
        return torch.relu(self.bn(out) + self.down(x))


class SharedGCN(nn.Module):
    def __init__(self, source: int, target: int, joints: int) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.zeros(3, joints, joints))
        self.conv_d = nn.ModuleList(nn.Conv2d(source, target, 1) for _ in range(3))
        self.down = _down(source, target)
        self.bn = nn.BatchNorm2d(target)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor | float = 0.0
        for s, conv in enumerate(self.conv_d):
            norm = (self.A[s] ** 2).sum(0, keepdim=True).sqrt() + 1e-4
            out = out + conv(torch.einsum("nctu,uv->nctv", x, self.A[s] / norm))
        return torch.relu(self.bn(out) + self.down(x))


class PlainGCN(nn.Module):
    """The whole backbone, ``[N, M, T, V, C] -> [N, M, C', T', V]``.

    The kind is ``'mmaction2'`` or ``'authors'`` for CTR-GCN, or ``'baseline'``.
    """

    def __init__(
        self,
        kind: str,
        joints: int,
        persons: int,
        width: int,
        stages: int = 10,
        inflate: Sequence[int] = (5, 8),
        down: Sequence[int] = (5, 8),
        single: bool = False,
    ) -> None:
        super().__init__()
        if kind == "mmaction2":
            self.register_buffer("A", torch.zeros(3, joints, joints))
        self.data_bn = nn.BatchNorm1d(persons * joints * 3)
        self.net = nn.ModuleList()
        source = 3
        for stage in range(1, stages + 1):
            width = 2 * width if stage in inflate else width
            stride = 2 if stage in down else 1
            gcn: nn.Module
            tcn = temporal_conv(width, width, 5, stride)
            if kind == "baseline":
                gcn = SharedGCN(source, width, joints)
            else:
                gcn = RefinementGCN(source, width, joints, kind == "authors")
                if not single:
                    tcn = MultiScaleTemporalConv(width, stride, kind == "mmaction2")
            block = nn.ModuleDict(dict(gcn1=gcn, tcn1=tcn))
            if stage > 1 and (source, 1) == (width, stride):
                block["residual"] = nn.Identity()
            elif stage > 1:
                block["residual"] = temporal_conv(source, width, 1, stride)
            self.net.append(block)
            source = width

    def forward(self, x: Tensor) -> Tensor:
        n, m, t, v, c = x.shape
        # Channel (m V + v) C + c of the normalization.
        x = self.data_bn(x.permute(0, 1, 3, 4, 2).reshape(n, m * v * c, t))
        x = x.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).reshape(n * m, c, t, v)
        block: Any
        for block in self.net:
            residual = block.residual(x) if "residual" in block else 0.0
            x = torch.relu(block.tcn1(block.gcn1(x)) + residual)
        return x.view(n, m, *x.shape[1:])


class CTRGCN(PlainGCN):
    """The plain CTR-GCN by the contract of backbones, for tools/benchmark.py."""

    def __init__(self, graph_cfg: dict, num_person: int = 2) -> None:
        joints = get_skeleton(graph_cfg["layout"]).num_joints
        super().__init__("mmaction2", joints, num_person, 64)


def perturb(model: nn.Module, seed: int = 0) -> None:
    """Gives every parameter and statistic a value at which it matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if not value.is_floating_point():
                continue
            noise = torch.randn(value.shape, generator=generator).to(value)
            if name.endswith(("running_var", "bn.weight", "alpha")):
                value.copy_((0.5 if name.endswith("alpha") else 1) + 0.3 * noise.tanh())
            else:
                value.add_(0.1 * noise)


def _down(source: int, target: int) -> nn.Module:
    if source == target:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(source, target, 1), nn.BatchNorm2d(target))
