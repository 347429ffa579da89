"""PartClassifier: classification of the pooled parts in place of the text branch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gap_mmaction.openmmlab import MODELS
from gap_mmaction.skeletons import Layout

from .part_pooling_head import PartPoolingHead
from .training_branch import TrainingBranch

FOUR_PARTS = ("head", "hand-arm", "hip", "leg-foot")


@MODELS.register_module()
class PartClassifier(TrainingBranch):
    """A linear classifier on every pooled part, the baseline of GAP's Table 1e.

    ``parts`` are joint groups of the layout, ``loss_weight`` is that of the mean over
    them. A ValueError is raised if there is no part, or a name is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        layout: Layout,
        stream: str = "joint",
        parts: Sequence[str] = FOUR_PARTS,
        loss_weight: float = 0.8,
    ) -> None:
        super().__init__()
        if not parts:
            raise ValueError(
                "`parts` (model.text_branch.parts) is empty; name joint groups of the "
                f"layout, as in {list(FOUR_PARTS)}"
            )
        self.head = PartPoolingHead(in_channels, num_classes, parts, layout, stream)
        self.loss_weight = loss_weight

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Returns ``loss_part``, weighted, and ``part_<group>`` for the log."""
        scores = self.head(x).transpose(0, 1)
        losses = [F.cross_entropy(score, labels) for score in scores]
        logs = {"loss_part": self.loss_weight * torch.stack(losses).mean()}
        for part, loss in zip(self.head.parts, losses):
            logs[f"part_{part}"] = loss.detach()
        return logs
