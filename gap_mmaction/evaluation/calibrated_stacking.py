"""Calibrated stacking: a handicap for the classes that were trained on.

Chao et al., "An Empirical Study and Analysis of Generalized Zero-Shot Learning for
Object Recognition in the Wild", ECCV 2016: a model gives the classes of its training
higher scores than any other, so where all classes compete a number is subtracted from
the scores of the seen ones (their eq. 2).
"""

from __future__ import annotations

import math

import numpy as np

# Far above the rounding of cosines in float64, far below their differences.
_BELOW = 1e-9


def choose_factor(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray, max_loss: float
) -> float:
    """Choose the factor on clips of seen classes that were held out from training.

    Clips of unseen classes are not needed, as whoever wants to name such has none. Of
    the held-out clips that are named right among the seen classes, a factor turns some
    over to unseen classes. The largest factor is taken that turns over no more of them
    than allowed. It is below 0 if more are lost without any factor, and 0 if no clip is
    named right.

    Args:
        scores: ``[N, C]`` of clips of seen classes.
        labels: ``[N]``, their classes.
        is_seen: ``[C]``, whether a class was trained on.
        max_loss: The share of them that may be lost, from 0 to below 1.

    Returns:
        The factor.

    Raises:
        ValueError: If the share is out of range, or a clip's class is unseen.
    """
    if not 0 <= max_loss < 1:
        raise ValueError(f"max_loss={max_loss}: must be 0 or more, and below 1")
    if not is_seen[labels].all():
        raise ValueError(
            "the factor is chosen on clips of seen classes, and "
            f"{int((~is_seen[labels]).sum())} of the clips are of unseen ones"
        )
    right, margins = group_margins(scores, labels, is_seen)
    if not right.any():
        return 0.0
    kept = np.sort(margins[right])
    # A clip is kept by every factor below its margin.
    return float(kept[math.floor(max_loss * len(kept))] - _BELOW)


def seen_unseen_area(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray
) -> float:
    """Compute the area under the curve of seen against unseen accuracy.

    It sums up all factors (AUSUC of Chao et al., section 3.3), so that nothing has to
    be chosen.

    Args:
        scores: ``[N, C]`` of clips of seen and of unseen classes.
        labels: ``[N]``, their classes.
        is_seen: ``[C]``, whether a class was trained on.

    Returns:
        From 0 to 1.
    """
    of_seen = is_seen[labels]
    right, margins = group_margins(scores, labels, is_seen)
    seen = np.sort(margins[of_seen & right])
    unseen = np.sort(margins[~of_seen & right])
    steps = np.unique(margins)
    # Between two margins nothing changes.
    factors = np.concatenate([[-np.inf], (steps[1:] + steps[:-1]) / 2, [np.inf]])
    kept = len(seen) - np.searchsorted(seen, factors, side="right")
    won = np.searchsorted(unseen, factors, side="left")
    x, y = kept / of_seen.sum(), won / (~of_seen).sum()
    return float(((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2).sum())


def group_margins(
    scores: np.ndarray, labels: np.ndarray, is_seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare the best seen class of each clip with its best unseen one.

    Args:
        scores: ``[N, C]``.
        labels: ``[N]``.
        is_seen: ``[C]``.

    Returns:
        Whether a clip is named right among the classes of its own kind, ``[N]``, and by
        how much the best seen class is ahead, ``[N]``: with a smaller factor than that
        it wins.
    """
    scores = np.asarray(scores, dtype=np.float64)
    seen = np.where(is_seen, scores, -np.inf)
    unseen = np.where(is_seen, -np.inf, scores)
    own = np.where(is_seen[labels], seen.argmax(axis=1), unseen.argmax(axis=1))
    return own == labels, seen.max(axis=1) - unseen.max(axis=1)
