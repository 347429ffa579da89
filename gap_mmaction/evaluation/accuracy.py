"""The accuracies that mmaction2's ``AccMetric`` gives."""

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
    """Score an ensemble or a model.

    Args:
        scores: ``[N, C]``.
        labels: ``[N]``.

    Returns:
        Top-1, top-5 and mean class accuracy, 0 to 1, by mmaction2's own functions.
    """
    top1, top5 = top_k_accuracy(scores, labels.tolist(), topk=(1, 5))
    mean_class = mean_class_accuracy(scores, labels.tolist())
    return Accuracy(float(top1), float(top5), float(mean_class))
