"""What is done against the lead of the classes that a model was trained on.

Scores are ``[N, C]``, ``is_seen`` says of each class whether it was trained on.
Everything is fitted on clips of seen classes that were held out from training, as a
user who wants to name unseen classes has no clips of them.

* Calibrated stacking (Chao et al., "An Empirical Study and Analysis of Generalized
  Zero-Shot Learning for Object Recognition in the Wild", ECCV 2016, eq. 2): a number is
  subtracted from the scores of the seen classes.
* A temperature (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017), and
  a gate between experts for seen and for unseen classes, as in Atzmon and Chechik,
  "Adaptive Confidence Smoothing for Generalized Zero-Shot Learning", CVPR 2019.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

# Far above the rounding of cosines in float64, far below their differences.
_BELOW = 1e-9
# Where all held-out clips are named right the best temperature is 0.
_LOGARITHMS = (math.log(1e-3), math.log(1e2))


def choose_factor(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray, max_loss: float
) -> float:
    """Chooses the factor of calibrated stacking on held-out clips of seen classes.

    Of the clips that are named right among the seen classes, a factor turns some over
    to unseen classes. The largest factor is taken that turns over no more of them than
    allowed, the share ``max_loss``, 0 or more and below 1. It is below 0 if more are
    lost without any factor, and 0 if no clip is named right.
    """
    if not 0 <= max_loss < 1:
        raise ValueError(f"max_loss={max_loss}: must be 0 or more, and below 1")
    _check_seen(labels, is_seen)
    right, margins = _group_margins(scores, labels, is_seen)
    if not right.any():
        return 0.0
    kept = np.sort(margins[right])
    # A clip is kept by every factor below its margin.
    return float(kept[math.floor(max_loss * len(kept))] - _BELOW)


def seen_unseen_area(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray
) -> float:
    """Computes the area under the curve of seen against unseen accuracy, 0 to 1.

    It sums up all factors (AUSUC of Chao et al., section 3.3), so that nothing has to
    be chosen. The clips are of seen and of unseen classes.
    """
    of_seen = is_seen[labels]
    right, margins = _group_margins(scores, labels, is_seen)
    seen = np.sort(margins[of_seen & right])
    unseen = np.sort(margins[~of_seen & right])
    steps = np.unique(margins)
    # Between two margins nothing changes.
    factors = np.concatenate([[-np.inf], (steps[1:] + steps[:-1]) / 2, [np.inf]])
    kept = len(seen) - np.searchsorted(seen, factors, side="right")
    won = np.searchsorted(unseen, factors, side="left")
    x, y = kept / of_seen.sum(), won / (~of_seen).sum()
    return float(((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2).sum())


def _group_margins(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Says for each clip whether it is named right among the classes of its own kind.

    And, also ``[N]``, by how much the best seen class is ahead of the best unseen one:
    with a smaller factor than that it wins.
    """
    scores = np.asarray(scores, dtype=np.float64)
    seen = np.where(is_seen, scores, -np.inf)
    unseen = np.where(is_seen, -np.inf, scores)
    own = np.where(is_seen[labels], seen.argmax(axis=1), unseen.argmax(axis=1))
    return own == labels, seen.max(axis=1) - unseen.max(axis=1)


def fit_temperature(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray
) -> float:
    """Finds what to divide scores by, for the labels to be the likeliest."""
    seen, own = _among_seen(scores, labels, is_seen)

    def surprise(logarithm: float) -> float:
        return -float(log_softmax(seen / math.exp(logarithm), axis=1)[own].mean())

    found = minimize_scalar(surprise, bounds=_LOGARITHMS, method="bounded")
    return math.exp(float(found.x))


def expert_probabilities(
    scores: np.ndarray, is_seen: np.ndarray, temperature: float
) -> np.ndarray:
    """Computes a distribution over the seen classes, and another over the unseen ones.

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
    """Chooses the probability below which a clip is taken for one of an unseen class.

    Each held-out clip is looked at twice: as it is, and with its own class left out, so
    that it is of none of those that are left. The threshold is the one with the highest
    harmonic mean of the share that is named right and kept as it is, and the share that
    is turned away without its class. It is 0, and all clips are of seen classes, if
    none tells anything, as with two seen classes, of which one is always sure.
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
    """Sets the scores of the other kind of classes to ``-inf``.

    A clip is taken for one of a seen class if one of these is sure enough.
    """
    sure = softmax(scores[:, is_seen] / temperature, axis=1).max(axis=1)
    return np.where((sure >= threshold)[:, None] == is_seen, scores, -np.inf)


def _among_seen(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Returns a copy of the seen classes' scores, and where those of the labels are."""
    _check_seen(labels, is_seen)
    places = (np.cumsum(is_seen) - 1)[labels]
    return np.asarray(scores, np.float64)[:, is_seen], (np.arange(len(labels)), places)


def _check_seen(labels: np.ndarray, is_seen: np.ndarray) -> None:
    if not is_seen[labels].all():
        raise ValueError(
            "factor, temperature and threshold are chosen on clips of seen classes, "
            f"and {int((~is_seen[labels]).sum())} of the clips are of unseen ones"
        )
