"""Confidence of the classes that were trained on, and a gate before all classes.

What it takes is fitted on clips of seen classes that were held out from training: the
temperature of Guo et al., "On Calibration of Modern Neural Networks", ICML 2017; the
confidence of Hendrycks and Gimpel, ICLR 2017; and experts for the seen and for the
unseen classes with a gate between them, as in Atzmon and Chechik, "Adaptive Confidence
Smoothing for Generalized Zero-Shot Learning", CVPR 2019.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

# Where all held-out clips are named right the best temperature is 0.
_LEAST, _MOST = 1e-3, 1e2


def fit_temperature(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray
) -> float:
    """Fit the temperature of the seen classes' scores: the likeliest labels.

    Args:
        scores: ``[N, C]`` of held-out clips of seen classes.
        labels: ``[N]``, their classes.
        is_seen: ``[C]``, whether a class was trained on.

    Returns:
        The temperature that scores are to be divided by, from 0.001 to 100.
    """
    seen, own = _among_seen(scores, labels, is_seen)

    def surprise(exponent: float) -> float:
        return -float(log_softmax(seen / math.exp(exponent), axis=1)[own].mean())

    bounds = (math.log(_LEAST), math.log(_MOST))
    found = minimize_scalar(surprise, bounds=bounds, method="bounded")
    return math.exp(float(found.x))


def expert_probabilities(
    scores: np.ndarray, is_seen: np.ndarray, temperature: float
) -> np.ndarray:
    """Give the seen classes a distribution of their own, and the unseen ones another.

    Neither kind gains by higher scores, but by one class being ahead of its kind.

    Args:
        scores: ``[N, C]``.
        is_seen: ``[C]``, whether a class was trained on.
        temperature: Of both.

    Returns:
        ``[N, C]``; the seen classes of a clip add up to 1, and so do the unseen ones.
    """
    found = np.empty(scores.shape)
    for kind in (is_seen, ~is_seen):
        found[:, kind] = softmax(scores[:, kind] / temperature, axis=1)
    return found


def choose_threshold(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray, temperature: float
) -> float:
    """Choose the confidence below which a clip is taken for one of an unseen class.

    Each held-out clip is looked at twice: as it is, and with its own class left out, so
    that it is of none of those that are left. The threshold is the one with the highest
    harmonic mean of the share that is named right and kept as it is, and the share that
    is turned away without its class.

    Args:
        scores: ``[N, C]`` of held-out clips of seen classes.
        labels: ``[N]``, their classes.
        is_seen: ``[C]``, whether a class was trained on.
        temperature: See :func:`fit_temperature`.

    Returns:
        The threshold. It is 0, and all clips are of seen classes, if none tells
        anything, as with two seen classes, of which one is always sure.
    """
    seen, own = _among_seen(scores, labels, is_seen)
    whole = softmax(seen / temperature, axis=1)
    right = np.sort(whole.max(axis=1)[seen.argmax(axis=1) == own[1]])
    seen[own] = -np.inf
    without = np.sort(softmax(seen / temperature, axis=1).max(axis=1))
    steps = np.unique(np.concatenate([[0.0], right, without]))
    thresholds = np.concatenate([[0.0], (steps[1:] + steps[:-1]) / 2])
    kept = (len(right) - np.searchsorted(right, thresholds)) / len(seen)
    turned = np.searchsorted(without, thresholds) / len(seen)
    total = np.maximum(kept + turned, 1e-12)
    return float(thresholds[(kept * turned / total).argmax()])


def gate(
    scores: np.ndarray, is_seen: np.ndarray, temperature: float, threshold: float
) -> np.ndarray:
    """Let a clip be of a seen class if one of these is sure enough, else of an unseen.

    A gate by how far the nearest seen text is ahead of the nearest unseen one would be
    calibrated stacking once more.

    Args:
        scores: ``[N, C]``.
        is_seen: ``[C]``, whether a class was trained on.
        temperature: See :func:`fit_temperature`.
        threshold: See :func:`choose_threshold`.

    Returns:
        The scores, ``-inf`` for the classes of the kind that a clip is not of.
    """
    confidence = softmax(scores[:, is_seen] / temperature, axis=1).max(axis=1)
    of_seen = confidence >= threshold
    return np.where(of_seen[:, None] == is_seen, scores, -np.inf)


def _among_seen(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Give a copy of the seen classes' scores, and where those of the labels are."""
    if not is_seen[labels].all():
        raise ValueError(
            "temperature and threshold are fitted on clips of seen classes, and "
            f"{int((~is_seen[labels]).sum())} of the clips are of unseen ones"
        )
    place = np.cumsum(is_seen) - 1
    seen = np.asarray(scores, dtype=np.float64)[:, is_seen]
    return seen, (np.arange(len(labels)), place[labels])
