"""Accuracies, and which classes are taken for which."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from mmaction.evaluation import mean_class_accuracy, top_k_accuracy
from scipy import stats


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


def rank_pairs(likeness: np.ndarray) -> np.ndarray:
    """Ranks pairs of classes by how alike they are, ``[C, C]``, symmetric.

    Returns the rank of each pair in percent, from 0 for the least alike to 100, halfway
    between where pairs are equal; the mean is 50. The diagonal is nan.
    """
    pairs = np.triu_indices(len(likeness), 1)
    ranks = np.full(likeness.shape, np.nan)
    order = stats.rankdata(likeness[pairs]) - 0.5
    ranks[pairs] = 100 * order / len(order)
    ranks.T[pairs] = ranks[pairs]
    return ranks


def errors_by_rank(
    matrix: np.ndarray, ranks: np.ndarray, num_draws: int = 9_999, seed: int = 0
) -> tuple[float, float]:
    """Tells whether the classes that are confused are those that are alike.

    Args:
        matrix: The confusion matrix, ``[C, C]``, with at least one error.
        ranks: What :func:`rank_pairs` returns.
        num_draws: Number of permutations.
        seed: Of the permutations.

    Returns the mean rank of the errors' pairs, and the p value of as high a mean where
    the classes change their places at random (Mantel's test).
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.nonzero(~np.eye(len(matrix), dtype=bool) & (matrix > 0))
    weights = matrix[rows, columns] / matrix[rows, columns].sum()
    mean = float(ranks[rows, columns] @ weights)
    as_high = 0
    for order in (rng.permutation(len(matrix)) for _ in range(num_draws)):
        as_high += ranks[order[rows], order[columns]] @ weights >= mean - 1e-9
    return mean, (1 + int(as_high)) / (1 + num_draws)
