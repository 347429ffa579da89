"""TestResults: what a score file says, by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gap_mmaction.evaluation.accuracy import (
    Accuracy,
    accuracy,
    confusion_matrix,
    most_confused,
)
from gap_mmaction.evaluation.score_file import ScoreFile


@dataclass(frozen=True)
class ClassResult:
    """One class of a test run.

    Attributes:
        name: The class.
        count: Number of its samples.
        percent: Share of them that are right; 0 without samples.
        mistaken_for: The class that it is most often taken for, or an empty string.
        mistakes: How often.
    """

    name: str
    count: int
    percent: float
    mistaken_for: str
    mistakes: int


@dataclass(frozen=True)
class TestResults:
    """A test run, by class.

    Attributes:
        accuracy: Over all samples.
        count: Number of samples.
        matrix: Confusion matrix ``[C, C]``, row true class.
        classes: Those with samples, the worst first.
        confused: ``(true class, predicted class, samples, % of the class)``, most
            frequent first.
    """

    # Not one of pytest's, in spite of its name.
    __test__ = False

    accuracy: Accuracy
    count: int
    matrix: np.ndarray
    classes: tuple[ClassResult, ...]
    confused: tuple[tuple[str, str, int, float], ...]

    @classmethod
    def of(cls, scores: ScoreFile, names: Sequence[str], most: int = 10) -> TestResults:
        """Count.

        Args:
            scores: Of the test run.
            names: Names of the classes.
            most: How many errors to list.
        """
        matrix = confusion_matrix(scores.predictions, scores.labels, len(names))
        totals = matrix.sum(axis=1)
        classes = []
        for label in np.flatnonzero(totals).tolist():
            row = matrix[label].copy()
            right, row[label] = int(row[label]), 0
            worst = int(row.argmax())
            classes.append(
                ClassResult(
                    names[label],
                    int(totals[label]),
                    100 * right / int(totals[label]),
                    names[worst] if row[worst] else "",
                    int(row[worst]),
                )
            )
        classes.sort(key=_percent)
        confused = tuple(
            (names[row], names[column], samples, 100 * samples / int(totals[row]))
            for row, column, samples in most_confused(matrix, most)
        )
        result = accuracy(scores.scores, scores.labels)
        return cls(result, len(scores.labels), matrix, tuple(classes), confused)


def _percent(item: ClassResult) -> float:
    return item.percent
