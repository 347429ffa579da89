"""Confusion matrices."""

from __future__ import annotations

import numpy as np

from gap_mmaction.evaluation.accuracy import confusion_matrix, most_confused

LABELS = np.array([0, 0, 0, 1, 1, 3])
PREDICTIONS = np.array([0, 1, 1, 1, 0, 3])


def test_rows_are_true_classes() -> None:
    matrix = confusion_matrix(PREDICTIONS, LABELS, 4)
    assert matrix.tolist() == [[1, 2, 0, 0], [1, 1, 0, 0], [0] * 4, [0, 0, 0, 1]]


def test_most_confused() -> None:
    matrix = confusion_matrix(PREDICTIONS, LABELS, 4)
    assert most_confused(matrix, 10) == [(0, 1, 2), (1, 0, 1)]
    assert most_confused(matrix, 1) == [(0, 1, 2)]
    assert most_confused(np.diag([3, 4]), 10) == []
    assert matrix[0, 0] == 1  # not changed
