"""How sure a model is of the classes that it was trained on, and a gate by it.

All is fitted on clips of seen classes that were held out from training: the temperature
of Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, and a gate between
experts for the seen and for the unseen classes, as in Atzmon and Chechik, "Adaptive
Confidence Smoothing for Generalized Zero-Shot Learning", CVPR 2019. Scores are
``[N, C]``, ``is_seen`` says of each class whether it was trained on.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

# Where all held-out clips are named right the best temperature is 0.
_LOGARITHMS = (math.log(1e-3), math.log(1e2))


def fit_temperature(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray
) -> float:
    """Find what to divide scores by, for the labels to be the likeliest.

    Raises:
        ValueError: If a clip is of an unseen class.
    """
    seen, own = _among_seen(scores, labels, is_seen)

    def surprise(logarithm: float) -> float:
        return -float(log_softmax(seen / math.exp(logarithm), axis=1)[own].mean())

    found = minimize_scalar(surprise, bounds=_LOGARITHMS, method="bounded")
    return math.exp(float(found.x))


def expert_probabilities(
    scores: np.ndarray, is_seen: np.ndarray, temperature: float
) -> np.ndarray:
    """Give the seen classes a distribution of their own, and the unseen ones another.

    Neither kind gains by higher scores, but by one class being ahead of its kind. Each
    has the probability that is its share of the classes, as fewer are sure more easily.
    """
    found = np.empty(scores.shape)
    for kind in (is_seen, ~is_seen):
        found[:, kind] = kind.mean() * softmax(scores[:, kind] / temperature, axis=1)
    return found


def choose_threshold(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray, temperature: float
) -> float:
    """Choose the probability below which a clip is taken for one of an unseen class.

    Each held-out clip is looked at twice: as it is, and with its own class left out, so
    that it is of none of those that are left. The threshold is the one with the highest
    harmonic mean of the share that is named right and kept as it is, and the share that
    is turned away without its class.

    Returns:
        The threshold. It is 0, and all clips are of seen classes, if none tells
        anything, as with two seen classes, of which one is always sure.
    """
    seen, own = _among_seen(scores, labels, is_seen)
    probabilities = softmax(seen / temperature, axis=1)
    right = np.sort(probabilities.max(axis=1)[seen.argmax(axis=1) == own[1]])
    seen[own] = -np.inf
    without = np.sort(softmax(seen / temperature, axis=1).max(axis=1))
    steps = np.unique(np.concatenate([[0.0], right, without]))
    thresholds = np.concatenate([[0.0], (steps[1:] + steps[:-1]) / 2])
    kept = len(right) - np.searchsorted(right, thresholds)
    turned = np.searchsorted(without, thresholds)
    return float(thresholds[(kept * turned / np.maximum(kept + turned, 1)).argmax()])


def gate(
    scores: np.ndarray, is_seen: np.ndarray, temperature: float, threshold: float
) -> np.ndarray:
    """Let a clip be of a seen class if one of these is sure enough, else of an unseen.

    Returns:
        The scores, ``-inf`` for the classes of the kind that a clip is not of.
    """
    sure = softmax(scores[:, is_seen] / temperature, axis=1).max(axis=1)
    return np.where((sure >= threshold)[:, None] == is_seen, scores, -np.inf)


def _among_seen(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Give a copy of the seen classes' scores, and where those of the labels are."""
    if not is_seen[labels].all():
        raise ValueError("temperature and threshold need clips of seen classes alone")
    places = (np.cumsum(is_seen) - 1)[labels]
    return np.asarray(scores, np.float64)[:, is_seen], (np.arange(len(labels)), places)
