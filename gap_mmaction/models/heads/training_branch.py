"""TrainingBranch: what a recognizer has beside its head, in training only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from gap_mmaction.openmmlab import BaseModule


class TrainingBranch(BaseModule, ABC):
    """Base of what can stand in a recognizer's ``text_branch``.

    It is built with ``in_channels``, ``num_classes``, ``layout`` and ``stream``, and
    left out at test time.
    """

    def prepare(self, labels: Tensor) -> Any:
        """Returns what :meth:`forward` takes as labels, here themselves.

        It is called before the backbone runs, with labels ``[B]`` of the CPU: the place
        for what needs no feature map, so that no device waits for it.
        """
        return labels

    @abstractmethod
    def forward(self, x: Tensor, labels: Any) -> dict[str, Tensor]:
        """Returns losses of a feature map ``[B, M, C, T, V]`` and its classes ``[B]``.

        The classes are on the map's device, or what :meth:`prepare` has made of them.
        Those whose names contain ``loss`` are summed up, the others are for the log.
        """

    def compute_features(self) -> None:
        """Computes what is neither a parameter nor in the checkpoint; here nothing."""
