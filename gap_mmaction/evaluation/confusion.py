"""Which classes are taken for which."""

from __future__ import annotations

import numpy as np


def confusion_matrix(
    predictions: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
    """Count predictions by true class.

    Args:
        predictions: ``[N]``, classes 0 to C-1.
        labels: ``[N]``, likewise.
        num_classes: C.

    Returns:
        ``[C, C]``, int64: row true class, column predicted class.
    """
    cells = labels * num_classes + predictions
    counts = np.bincount(cells, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def most_confused(matrix: np.ndarray, count: int) -> list[tuple[int, int, int]]:
    """Find the most frequent errors.

    Args:
        matrix: ``[C, C]``, as :func:`confusion_matrix` gives it.
        count: How many to give at most.

    Returns:
        ``(true class, predicted class, samples)``, most frequent first; errors that
        did not occur are left out.
    """
    errors = matrix.copy()
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    rows, columns = np.unravel_index(order, errors.shape)
    return [
        (int(row), int(column), int(errors[row, column]))
        for row, column in zip(rows, columns)
        if errors[row, column]
    ]
