"""TrainingBranch: what a recognizer has beside its head, in training only."""

from __future__ import annotations

from abc import ABC, abstractmethod

from mmengine.model import BaseModule
from torch import Tensor


class TrainingBranch(BaseModule, ABC):
    """Base of what can stand in a recognizer's ``text_branch``.

    It is built with ``in_channels``, ``num_classes``, ``layout`` and ``stream``, and
    left out at test time. What compares parts with texts needs a :class:`TextBranch`.
    """

    @abstractmethod
    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute losses.

        Args:
            x: Feature map ``[B, M, C, T, V]``.
            labels: Class indices ``[B]``.

        Returns:
            Those with ``loss`` in their names are summed up, others are logged.
        """

    def compute_features(self) -> None:
        """Compute what is neither a parameter nor in the checkpoint: as a rule none."""
