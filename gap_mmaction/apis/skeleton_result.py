"""What a model says of one sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class SkeletonResult:
    """The classes of one sequence, most likely first, and how it was told.

    Attributes:
        name: The sequence's name: that of its annotation, of its file, or its number.
        label: Index of the most likely class.
        label_name: Its name.
        score: Its score.
        top_labels: Indices of the k most likely classes.
        top_names: Their names.
        top_scores: Their scores.
        scores: Scores of all classes ``[classes]``, float32: probabilities, averaged
            over the clips, unless ``model.cls_head.average_clips`` says otherwise.
        parts: Names of the K slots of the text branch; empty where no part similarity
            was asked for.
        part_similarity: Cosines ``[K, classes]`` between the sequence's parts and the
            texts of the classes, float32, or None.
    """

    name: str
    label: int
    label_name: str
    score: float
    top_labels: tuple[int, ...]
    top_names: tuple[str, ...]
    top_scores: tuple[float, ...]
    scores: np.ndarray
    parts: tuple[str, ...] = ()
    part_similarity: np.ndarray | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the result as lists, numbers and strings, e.g. for JSON."""
        result: dict[str, Any] = {
            "name": self.name,
            "label": self.label,
            "label_name": self.label_name,
            "score": self.score,
            "top": [
                {"label": label, "label_name": name, "score": score}
                for label, name, score in zip(
                    self.top_labels, self.top_names, self.top_scores
                )
            ],
            "scores": self.scores.tolist(),
        }
        if self.part_similarity is not None:
            result["part_similarity"] = {
                part: row.tolist()
                for part, row in zip(self.parts, self.part_similarity)
            }
        return result
