"""What a training without some classes has come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gap_mmaction.apis import ClipFeatures
from gap_mmaction.evaluation.zero_shot import (
    ZeroShotResult,
    combine_slots,
    evaluate_zero_shot,
)

from .class_split import ClassSplit

ALL = "all"
"""What stands for all slots together."""


@dataclass(frozen=True)
class SplitResult:
    """The results of a split.

    Attributes:
        split: What was trained on.
        classes: Names of all classes.
        results: By slot, and for all slots together under :data:`ALL`.
        title: What it is called in tables.
    """

    split: ClassSplit
    classes: tuple[str, ...]
    results: dict[str, ZeroShotResult]
    title: str

    @property
    def overall(self) -> ZeroShotResult:
        """The result of all slots together."""
        return self.results[ALL]

    @property
    def unseen_names(self) -> list[str]:
        """Names of the unseen classes."""
        return [self.classes[label] for label in self.split.unseen]

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON has it."""
        return {
            "unseen": list(self.split.unseen),
            "unseen_names": self.unseen_names,
            "title": self.title,
            "chance": {
                "unseen": 100 / len(self.split.unseen),
                "seen": 100 / len(self.split.seen),
                "generalised": 100 / self.split.num_classes,
            },
            "slots": {name: item.to_dict() for name, item in self.results.items()},
        }


def evaluate_split(
    split: ClassSplit,
    held_out: ClipFeatures,
    test: ClipFeatures,
    weights: Sequence[float] | None = None,
    max_loss: float = 0.1,
    title: str | None = None,
) -> SplitResult:
    """Name clips by each slot, and by all of them.

    Args:
        split: What was trained on.
        held_out: Clips of seen classes that were not trained on, by which is chosen
            what is done against the lead of the seen classes.
        test: The test clips.
        weights: Of the slots, see :func:`.slot_scores.combine_slots`.
        max_loss: See :func:`.calibrated_stacking.choose_factor`.
        title: What to call it in tables; the unseen classes by default.

    Returns:
        The results.

    Raises:
        ValueError: If weights or clips do not fit.
    """
    slots = len(test.parts)
    by_slot = {part: np.eye(slots)[k].tolist() for k, part in enumerate(test.parts)}
    kept_cosines, cosines = held_out.cosines(), test.cosines()
    results = {}
    for name, own in {**by_slot, ALL: weights}.items():
        results[name] = evaluate_zero_shot(
            *(combine_slots(cosines, own), test.labels, split.is_seen),
            (combine_slots(kept_cosines, own), held_out.labels),
            max_loss,
        )
    names = ", ".join(test.classes[label] for label in split.unseen)
    return SplitResult(split, test.classes, results, title or names)
