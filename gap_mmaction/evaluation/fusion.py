"""Ensembles of streams: weighted sums of scores, and a search for the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import softmax

TRANSFORMS = ("none", "softmax", "log")
_MAX_CANDIDATES = 100_000
_CHUNK_NUMBERS = 4_000_000


def transform_scores(scores: np.ndarray, transform: str, name: str) -> np.ndarray:
    """Changes the form of scores ``[N, C]``, of a name, before they are fused.

    ``softmax`` turns scores into probabilities, ``log`` probabilities into their
    logarithms, which differ from the raw scores by a number that all classes of a
    sample share: the ensemble decides alike.

    Raises:
        ValueError: If ``log`` meets scores that are no probabilities.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if transform == "none":
        return scores
    if transform == "softmax":
        probabilities: np.ndarray = softmax(scores, axis=1)
        return probabilities
    if transform != "log":
        raise ValueError(f"transform '{transform}' is none of {', '.join(TRANSFORMS)}")
    if not are_probabilities(scores):
        raise ValueError(
            f"{name}: the scores are no probabilities (not negative, with the sum 1), "
            "of which the logarithm could be taken; fuse them as they are"
        )
    # Zero, where float32 could not tell it from zero.
    return np.log(np.maximum(scores, np.finfo(np.float32).smallest_subnormal))


def are_probabilities(scores: np.ndarray) -> bool:
    """Says whether every row of ``[N, C]`` is a distribution, to half precision."""
    sums = scores.sum(axis=1)
    return bool((scores >= 0).all() and (np.abs(sums - 1) < 1e-2).all())


def fuse_scores(scores: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Adds up the scores of several models, weighted.

    This is the ensemble of CTR-GCN and of the public GAP implementation, which add
    raw scores. The paper's weights are 0.8 for joint and bone, 0.2 for both motions.
    """
    if len(weights) != len(scores):
        raise ValueError(
            f"{len(weights)} weights for {len(scores)} models: one for each, in the "
            "models' order"
        )
    if not np.isfinite(weights).all() or not np.any(weights):
        raise ValueError(
            f"the weights {list(weights)} must be finite, and one other than 0"
        )
    shapes = {score.shape for score in scores}
    if len(shapes) > 1:
        raise ValueError(f"scores of different shapes: {sorted(shapes)}")
    fused = np.zeros(scores[0].shape)
    for score, weight in zip(scores, weights):
        fused += weight * score
    return fused


@dataclass(frozen=True)
class WeightSearch:
    """What a search has found, for K models, N samples and F folds."""

    folds: np.ndarray  # [N], the fold of each sample
    fold_weights: np.ndarray  # [F, K], chosen on all other folds
    fold_accuracies: np.ndarray  # [F], with these on the fold itself
    fused: np.ndarray  # [N, C], with weights that were chosen without the sample's fold
    weights: np.ndarray  # [K], chosen on all samples, for other data
    num_candidates: int


def search_weights(
    scores: Sequence[np.ndarray],
    labels: np.ndarray,
    num_folds: int = 5,
    steps: int = 10,
    seed: int = 0,
) -> WeightSearch:
    """Finds fusion weights without ever scoring them on what they were chosen on.

    The samples are dealt into folds, class by class. For each fold the weights with
    the highest top-1 accuracy on the other folds are taken; of several, those nearest
    to equal weights. The candidates are all weights that are multiples of
    ``1 / steps`` and sum up to 1: 286 for four models and 10 steps.

    The scores are ``[N, C]`` for each of K models, 2 or more, the labels ``[N]``.
    """
    if len(scores) < 2:
        raise ValueError("a search for weights needs 2 models or more")
    if not 2 <= num_folds <= len(labels):
        raise ValueError(
            f"{num_folds} folds of {len(labels)} samples: at least 2, and a sample in "
            "each"
        )
    count = math.comb(steps + len(scores) - 1, len(scores) - 1) if steps > 0 else 0
    if not 0 < count <= _MAX_CANDIDATES:
        raise ValueError(
            f"{steps} steps give {count:,} weights of {len(scores)} models to try: "
            f"set 1 step or more, and so few that there are at most {_MAX_CANDIDATES:,}"
        )
    # All ways to put bars between steps.
    places = steps + len(scores) - 1
    bars = np.array(list(combinations(range(places), len(scores) - 1)))
    bars = np.insert(bars, [0, bars.shape[1]], [-1, places], axis=1)
    candidates = (np.diff(bars) - 1) / steps
    # Of equally good ones argmax takes the first.
    distance = ((candidates - 1 / len(scores)) ** 2).sum(axis=1).round(9)
    candidates = candidates[np.argsort(distance, kind="stable")]
    correct = _correct(candidates, scores, labels)

    # Each fold has its share of each class.
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    folds = np.empty(len(labels), dtype=np.int64)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    folds[by_class] = np.arange(len(labels)) % num_folds
    fold_weights = np.zeros((num_folds, len(scores)))
    fused = np.zeros(scores[0].shape)
    for fold in range(num_folds):
        held_out = folds == fold
        best = candidates[correct[:, ~held_out].sum(axis=1).argmax()]
        fold_weights[fold] = best
        fused[held_out] = fuse_scores([s[held_out] for s in scores], best)
    hits = fused.argmax(axis=1) == labels
    fold_accuracies = np.bincount(folds, hits) / np.bincount(folds)
    weights = candidates[correct.sum(axis=1).argmax()]
    return WeightSearch(
        folds, fold_weights, fold_accuracies, fused, weights, len(candidates)
    )


def _correct(
    candidates: np.ndarray, scores: Sequence[np.ndarray], labels: np.ndarray
) -> np.ndarray:
    """Says for each candidate and sample whether the ensemble is right, ``[W, N]``."""
    stacked = np.stack(scores)
    correct = np.empty((len(candidates), len(labels)), dtype=bool)
    # Bounds the memory: all fused scores at once would be gigabytes.
    chunk = max(1, _CHUNK_NUMBERS // (len(candidates) * stacked.shape[2]))
    for start in range(0, len(labels), chunk):
        part = slice(start, start + chunk)
        fused = np.tensordot(candidates, stacked[:, part], axes=1)
        correct[:, part] = fused.argmax(axis=2) == labels[part]
    return correct
