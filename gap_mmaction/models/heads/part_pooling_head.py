"""PartPoolingHead: a feature map becomes one projected vector per part."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gap_mmaction.openmmlab import MODELS
from gap_mmaction.skeletons import GLOBAL_PART, Layout, get_skeleton


@MODELS.register_module()
class PartPoolingHead(nn.Module):
    """Averages the feature map over persons, frames and each part's joints; projects.

    GAP, section 3.1. As in the public code there is one linear layer per part; that of
    the whole body starts with a standard deviation of ``sqrt(2 / D)``.

    ``embed_dims`` is the width D of the text features. ``parts`` are joint groups of
    the layout, one per output; some layouts have other groups for bones.
    """

    pooling: Tensor

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        parts: Sequence[str],
        layout: Layout,
        stream: str = "joint",
    ) -> None:
        super().__init__()
        skeleton = get_skeleton(layout)
        self.parts = tuple(parts)
        pooling = torch.zeros(skeleton.num_joints, len(self.parts))
        for index, part in enumerate(self.parts):
            pooling[list(skeleton.part(part, stream)), index] = 1
        self.register_buffer("pooling", pooling, persistent=False)
        projections = [nn.Linear(in_channels, embed_dims) for _ in self.parts]
        for part, projection in zip(self.parts, projections):
            if part == GLOBAL_PART:
                nn.init.normal_(projection.weight, std=math.sqrt(2 / embed_dims))
                nn.init.zeros_(projection.bias)
        self.projections = nn.ModuleList(projections)

    def forward(self, x: Tensor) -> Tensor:
        """Returns features ``[N, K, D]`` of a feature map ``[N, M, C, T, V]``."""
        pooling = self.pooling.to(x.dtype)
        pooled = x.mean(dim=(1, 3)) @ (pooling / pooling.sum(0))
        parts = zip(self.projections, pooled.unbind(-1))
        return torch.stack([projection(part) for projection, part in parts], dim=1)
