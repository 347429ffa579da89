"""Ranks clips by how near they are to a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from gap_mmaction.evaluation.zero_shot import combine_slots

from .clip_features import UNLABELLED, ClipFeatures


@dataclass(frozen=True)
class Match:
    """A clip that was found.

    Attributes:
        rank: From 1 on.
        name: The clip's name.
        label: Its class, None where it is not known.
        label_name: The name of its class, empty where it is not known.
        score: The weighted mean of the cosines.
        cosines: The cosine of each slot, by the slots' names.
    """

    rank: int
    name: str
    label: int | None
    label_name: str
    score: float
    cosines: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {
            "rank": self.rank,
            "name": self.name,
            "label": self.label,
            "label_name": self.label_name,
            "score": self.score,
            "cosines": self.cosines,
        }


def rank_clips(
    clips: ClipFeatures, text: Tensor, parts: Sequence[str] = (), top: int | None = None
) -> list[Match]:
    """Rank clips by a text, the nearest first.

    Args:
        clips: The clips.
        text: The text's features ``[K, D]``, of norm 1.
        parts: The slots that count, alike; all by default.
        top: How many to give; all by default.

    Returns:
        The clips that are nearest, of equally near ones the first.

    Raises:
        ValueError: If there is no such slot.
    """
    for part in parts:
        if part not in clips.parts:
            raise ValueError(
                f"there is no part {part!r}; the model has {', '.join(clips.parts)}"
            )
    weights = [float(not parts or part in parts) for part in clips.parts]
    cosines = clips.compare(text[None])
    scores = combine_slots(cosines, weights)[:, 0]
    matches = []
    for rank, row in enumerate(np.argsort(-scores, kind="stable")[:top], start=1):
        label = int(clips.labels[row])
        known = label != UNLABELLED
        matches.append(
            Match(
                rank=rank,
                name=clips.names[row],
                label=label if known else None,
                label_name=clips.classes[label] if known else "",
                score=float(scores[row]),
                cosines=dict(zip(clips.parts, map(float, cosines[row, :, 0]))),
            )
        )
    return matches
