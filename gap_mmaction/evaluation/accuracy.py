"""Accuracies, and which classes are taken for which."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from mmaction.evaluation import mean_class_accuracy, top_k_accuracy


class Accuracy(NamedTuple):
    """Accuracies, as fractions."""

    top1: float
    top5: float
    mean_class: float


def accuracy(scores: np.ndarray, labels: np.ndarray) -> Accuracy:
    """Computes the accuracies of scores ``[N, C]`` of samples with labels ``[N]``.

    They are those of mmaction2's ``AccMetric``, by its own functions.
    """
    top1, top5 = top_k_accuracy(scores, labels.tolist(), topk=(1, 5))
    mean_class = mean_class_accuracy(scores, labels.tolist())
    return Accuracy(float(top1), float(top5), float(mean_class))


def confusion_matrix(
    predictions: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
    """Counts predictions ``[N]``: ``[C, C]``, row true class, column predicted one."""
    cells = labels * num_classes + predictions
    counts = np.bincount(cells, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def most_confused(matrix: np.ndarray, count: int) -> list[tuple[int, int, int]]:
    """Finds the most frequent errors: ``(true class, predicted class, samples)``."""
    errors = matrix.copy()
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    cells = [divmod(int(cell), len(errors)) for cell in order]
    return [(*cell, int(errors[cell])) for cell in cells if errors[cell]]
