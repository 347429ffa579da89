"""What a model says of one sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class SkeletonResult:
    """The classes of one sequence, most likely first.

    Scores are probabilities, averaged over the clips, unless
    ``model.cls_head.average_clips`` says otherwise.
    """

    name: str  # of the sequence's annotation or file, or its number
    label: int  # the most likely class
    label_name: str
    score: float
    top_labels: tuple[int, ...]  # the k most likely classes
    top_names: tuple[str, ...]
    top_scores: tuple[float, ...]
    scores: np.ndarray  # of all classes, float32 [classes]
    parts: tuple[str, ...] = ()  # names of the K slots, with part similarity
    # Cosines of the parts and the texts of the classes, float32 [K, classes].
    part_similarity: np.ndarray | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as lists, numbers and strings, e.g. for JSON."""
        keys = ("label", "label_name", "score")
        top = zip(self.top_labels, self.top_names, self.top_scores)
        result: dict[str, Any] = {
            "name": self.name,
            "label": self.label,
            "label_name": self.label_name,
            "score": self.score,
            "top": [dict(zip(keys, values)) for values in top],
            "scores": self.scores.tolist(),
        }
        if self.part_similarity is not None:
            rows = self.part_similarity.tolist()
            result["part_similarity"] = dict(zip(self.parts, rows))
        return result
