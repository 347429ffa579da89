"""Finding actions in time: the likeliest labels, and the measures of how well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import mannwhitneyu

Span = tuple[float, float, int]
"""Start and end in seconds, and the label; below 0: no known action."""


def labels_at(spans: Sequence[Span], times: np.ndarray) -> np.ndarray:
    """Returns the labels ``[T]`` at times, -1 outside all spans."""
    labels = np.full(len(times), -1)
    for start, end, label in spans:
        labels[(times >= start) & (times < end)] = max(label, -1)
    return labels


def segmental_f1(
    recordings: Sequence[tuple[Sequence[Span], Sequence[Span]]], overlap: float
) -> float:
    """Returns F1@overlap of recordings, each of found and of true spans, in percent.

    A found span is right where its intersection over union with a true one of its
    label, which no better one has taken, is ``overlap`` or more. Spans of no action
    count neither way (Lea et al., "Temporal Convolutional Networks for Action
    Segmentation and Detection", CVPR 2017; code of MS-TCN).
    """
    right = num_found = num_true = 0
    for found, true in recordings:
        found, true = ([s for s in of if s[2] >= 0] for of in (found, true))
        num_found, num_true = num_found + len(found), num_true + len(true)
        taken = np.zeros(len(true), dtype=bool)
        for start, end, label in found:
            ious = [
                (min(end, t[1]) - max(start, t[0]))
                / (max(end, t[1]) - min(start, t[0]))
                if t[2] == label
                else 0.0
                for t in true
            ]
            best = int(np.argmax(ious)) if ious else -1
            if best >= 0 and ious[best] >= overlap and not taken[best]:
                taken[best], right = True, right + 1
    return 200 * right / max(num_found + num_true, 1)


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Returns the share of pairs in which the positive one has the higher score."""
    found = mannwhitneyu(positive, negative).statistic
    return float(found / (len(positive) * len(negative)))


def likeliest_path(
    scores: np.ndarray, switch_cost: float, before: int | None = None
) -> np.ndarray:
    """Returns the labels ``[K]`` of the highest sum of ``scores`` ``[K, S]`` (Viterbi).

    Each change of the label costs ``switch_cost``; ``before`` is the label before the
    first.
    """
    best = scores[0].astype(np.float64)
    if before is not None:
        best = best - switch_cost * (np.arange(len(best)) != before)
    stays = np.arange(scores.shape[1])
    origins = np.empty(scores.shape, dtype=np.intp)
    for k, step in enumerate(scores[1:], start=1):
        changed = best.max() - switch_cost
        origins[k] = np.where(best >= changed, stays, best.argmax())
        best = np.maximum(best, changed) + step
    path = [int(best.argmax())]
    for k in range(len(scores) - 1, 0, -1):
        path.append(int(origins[k, path[-1]]))
    return np.array(path[::-1])
