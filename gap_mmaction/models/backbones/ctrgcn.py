"""CTR-GCN, as mmaction2's project has it and as its authors do."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gap_mmaction.openmmlab import MODELS, BaseModule
from gap_mmaction.skeletons import Skeleton, get_skeleton

from .ctrgcn_units import (
    MultiScaleTemporalConv,
    RefinementGraphConv,
    TemporalConv,
    init_convs,
)

VARIANTS = ("mmaction2", "authors")
TEMPORALS = ("multi", "single")


class ResidualBlock(nn.Module):
    """A graph convolution, a temporal one and a residual path, if any, around both."""

    def __init__(
        self, gcn: nn.Module, tcn: nn.Module, residual: nn.Module | None
    ) -> None:
        super().__init__()
        self.gcn1, self.tcn1, self.residual = gcn, tcn, residual
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

    Subclasses make the graph convolutions. The arguments are those of :class:`CTRGCN`
    but ``variant`` and ``temporal``.
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
        self.num_person, self.in_channels = num_person, in_channels
        channels = num_person * in_channels * self.skeleton.num_joints
        self.data_bn = nn.BatchNorm1d(channels)
        blocks = []
        source, width = in_channels, base_channels
        for stage in range(1, num_stages + 1):
            if stage > 1 and stage in inflate_stages:
                width = 2 * width
            stride = 2 if stage > 1 and stage in down_stages else 1
            path: nn.Module | None = nn.Identity() if stage > 1 else None
            if stage > 1 and (source, 1) != (width, stride):
                path = init_convs(TemporalConv(source, width, 1, stride))
            tcn = init_convs(self._make_tcn(width, stride))
            if isinstance(tcn, MultiScaleTemporalConv):
                for module in tcn.modules():
                    if isinstance(module, nn.BatchNorm2d):
                        nn.init.normal_(module.weight, 1.0, 0.02)
            gcn = self._make_gcn(source, width)
            # The block starts as its residual path.
            nn.init.constant_(gcn.bn.weight, 1e-6)
            blocks.append(ResidualBlock(gcn, tcn, path))
            source = width
        self.net = nn.Sequential(*blocks)
        self.out_channels = width

    @abstractmethod
    def _make_gcn(self, in_channels: int, out_channels: int) -> Any:
        """Makes and initializes a block's graph convolution, with its ``bn``."""

    def _make_tcn(self, channels: int, stride: int) -> nn.Module:
        return TemporalConv(channels, channels, 5, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Maps skeletons ``[N, M, T, V, C]`` to features ``[N, M, C', T', V]``.

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
        device = x.device.type
        if torch.is_autocast_enabled(device) and not torch.compiler.is_compiling():
            dtype = torch.get_autocast_dtype(device)
            weights = cast_together(self.net, dtype)
            x = functional_call(self.net, weights, (x.to(dtype),))
        else:
            x = self.net(x)
        return x.transpose(2, 3).reshape(n, m, self.out_channels, -1, v)


def cast_together(net: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """Returns the parameters of a network, but of normalizations, in another type.

    All go through one concatenation and one cast, and so do their gradients; autocast
    would cast each by itself.
    """
    kept = {
        parameter
        for module in net.modules()
        if isinstance(module, nn.modules.batchnorm._NormBase)
        for parameter in module.parameters(recurse=False)
    }
    cast = {name: p for name, p in net.named_parameters() if p not in kept}
    flat = torch.cat([p.flatten() for p in cast.values()]).to(dtype)
    parts = flat.split([p.numel() for p in cast.values()])
    return {name: part.view_as(p) for (name, p), part in zip(cast.items(), parts)}


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


class CTRGCN(StackedGCN):
    """Channel-wise topology refinement graph convolutional network.

    CTR-GCN (Chen et al., ICCV 2021). By default it computes what mmaction2's
    ``projects/ctrgcn`` does and loads its state dict strictly. The authors' code
    differs in four points: it sums over the other index of the refined topology, has
    no ReLU on the concatenated temporal branches, has fewer relation channels in narrow
    blocks, and on ``nturgb+d`` its hand tips hang on the thumbs.

    Args:
        graph_cfg: ``dict(layout=..., mode='spatial')``; the layout is a name or a
            dict, see :func:`gap_mmaction.skeletons.get_skeleton`.
        in_channels: Coordinates per joint.
        base_channels: Width of the first block.
        num_stages: Number of blocks.
        inflate_stages: Blocks, counted from 1, that double the width.
        down_stages: Blocks, counted from 1, that halve the number of frames.
        num_person: Persons M per sample.
        variant: ``'mmaction2'`` or ``'authors'``. Load the authors' weights into the
            latter with :func:`convert_authors_state_dict`.
        temporal: ``'multi'`` for the multi-scale temporal convolution, ``'single'``
            for one convolution over five frames (GAP, section 4.2, the ablations'
            backbone).
        init_cfg: mmengine's initialization config.

    Raises:
        ValueError: If ``graph_cfg``, ``variant`` or ``temporal`` is unknown.

    Examples:
        >>> import torch
        >>> backbone = CTRGCN(dict(layout='nw-ucla'), base_channels=16, num_person=1)
        >>> backbone(torch.rand(2, 1, 52, 20, 3)).shape
        torch.Size([2, 1, 64, 13, 20])
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
        variant: str = "mmaction2",
        temporal: str = "multi",
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        wanted = dict(variant=(variant, VARIANTS), temporal=(temporal, TEMPORALS))
        for name, (value, known) in wanted.items():
            if value not in known:
                raise ValueError(
                    f"CTRGCN: {name}={value!r} is unknown, use one of {list(known)}"
                )
        # Set before the stack is built, which asks for both.
        self.variant, self.temporal = variant, temporal
        self.authors = variant == "authors"
        stages = (num_stages, inflate_stages, down_stages)
        super().__init__(
            graph_cfg, in_channels, base_channels, *stages, num_person, init_cfg
        )
        # mmaction2 has `A` in its state dict, though nothing computes with it. Here it
        # tells checkpoints of another layout or form apart.
        self._graph = "graph" if self.authors else "A"
        self.register_buffer(self._graph, self._adjacency())

    def _adjacency(self) -> Tensor:
        return torch.from_numpy(self.skeleton.adjacency(authors=self.authors))

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Loads; weights of the authors' code come without their graph."""
        if self.authors:
            state_dict.setdefault(prefix + self._graph, self._adjacency())
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _make_gcn(self, in_channels: int, out_channels: int) -> RefinementGraphConv:
        # With fewer than 8 channels the authors' rule, 3 and 9, would leave none.
        few = in_channels < 8 or in_channels == 9
        narrow = few if self.authors else in_channels <= 16
        relations = 8 if narrow else in_channels // 8
        gcn = RefinementGraphConv(
            in_channels, out_channels, relations, self._adjacency(), self.authors
        )
        return init_convs(gcn)

    def _make_tcn(self, channels: int, stride: int) -> nn.Module:
        if self.temporal == "single":
            return super()._make_tcn(channels, stride)
        return MultiScaleTemporalConv(channels, stride, relu=not self.authors)


def convert_authors_state_dict(
    state_dict: Mapping[str, Tensor], recognizer: bool = False
) -> dict[str, Tensor]:
    """Maps the parameter names of CTR-GCN's and GAP's code to this project's.

    Args:
        state_dict: The authors' state dict (``l1.gcn1.PA``, ...), with or without the
            ``module.`` of data-parallel training. Their text branch is left out.
        recognizer: Whether to use a recognizer's names, ``backbone.*`` and
            ``cls_head.fc.*``. By default the classifier is left out and the names are
            those of a :class:`CTRGCN` with ``variant='authors'`` or a ``CTRBaseline``.

    Raises:
        ValueError: If it is not such a state dict.
    """
    converted = {}
    for key, value in state_dict.items():
        name = key.removeprefix("module.").replace("gcn1.PA", "gcn1.A")
        block = re.match(r"l(\d+)\.", name)
        if block:
            name = f"net.{int(block[1]) - 1}.{name[block.end() :]}"
        if block or name.startswith("data_bn."):
            converted[f"backbone.{name}" if recognizer else name] = value
        elif name.startswith("fc.") and recognizer:
            converted[f"cls_head.{name}"] = value
    if not any("net." in name for name in converted):
        raise ValueError(
            "this is no state dict of the authors' CTR-GCN: no key starts with 'l1.'; "
            f"the first keys are {list(state_dict)[:3]}"
        )
    return converted


# mmaction2's own project stays, where a user has imported it first.
if "CTRGCN" not in MODELS.module_dict:
    MODELS.register_module(module=CTRGCN)
