"""CTR-GCN, as mmaction2's project has it and as its authors do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from .ctrgcn_units import (
    MultiScaleTemporalConv,
    RefinementGraphConv,
    TemporalConv,
    init_convs,
)
from .stacked_gcn import StackedGCN

VARIANTS = ("mmaction2", "authors")
TEMPORALS = ("multi", "single")


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
        for name, value, known in (
            ("variant", variant, VARIANTS),
            ("temporal", temporal, TEMPORALS),
        ):
            if value not in known:
                raise ValueError(
                    f"CTRGCN: {name}={value!r} is unknown, use one of {list(known)}"
                )
        # Set before the stack is built, which asks for both.
        self.variant = variant
        self.temporal = temporal
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
        # mmaction2 has `A` in its state dict, though nothing computes with it. Here it
        # tells checkpoints of another layout or form apart.
        self._graph = "A" if variant == "mmaction2" else "graph"
        self.register_buffer(self._graph, self._adjacency())

    def _adjacency(self) -> Tensor:
        authors = self.variant == "authors"
        return torch.from_numpy(self.skeleton.adjacency(authors=authors))

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Loads; weights of the authors' code come without their graph."""
        if self.variant == "authors":
            state_dict.setdefault(prefix + self._graph, self._adjacency())
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _make_gcn(self, in_channels: int, out_channels: int) -> nn.Module:
        authors = self.variant == "authors"
        narrow = in_channels in (3, 9) if authors else in_channels <= 16
        relations = 8 if narrow else in_channels // 8
        gcn = RefinementGraphConv(
            in_channels, out_channels, relations, self._adjacency(), authors
        )
        init_convs(gcn)
        # The block starts as its residual path.
        nn.init.constant_(gcn.bn.weight, 1e-6)
        return gcn

    def _make_tcn(self, channels: int, stride: int) -> nn.Module:
        if self.temporal == "single":
            single = TemporalConv(channels, channels, 5, stride)
            init_convs(single)
            return single
        multi = MultiScaleTemporalConv(channels, stride, self.variant == "mmaction2")
        init_convs(multi)
        for module in multi.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)
        return multi


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

    Returns:
        The tensors by their names here.

    Raises:
        ValueError: If it is not such a state dict.
    """
    converted = {}
    for key, value in state_dict.items():
        name = key.removeprefix("module.").replace("gcn1.PA", "gcn1.A")
        block = re.match(r"l(\d+)\.", name)
        if block:
            name = f"backbone.net.{int(block[1]) - 1}.{name[block.end() :]}"
            converted[name] = value
        elif name.startswith("data_bn."):
            converted[f"backbone.{name}"] = value
        elif name.startswith("fc.") and recognizer:
            converted[f"cls_head.{name}"] = value
    if not any(name.startswith("backbone.net.") for name in converted):
        raise ValueError(
            "this is no state dict of the authors' CTR-GCN: no key starts with 'l1.'; "
            f"the first keys are {list(state_dict)[:3]}"
        )
    if recognizer:
        return converted
    return {key.removeprefix("backbone."): value for key, value in converted.items()}


# mmaction2's own project stays, where a user has imported it first.
if "CTRGCN" not in MODELS.module_dict:
    MODELS.register_module(module=CTRGCN)
