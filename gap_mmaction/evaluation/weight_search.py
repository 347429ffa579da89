"""Fusion weights by cross-validation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .fusion import fuse_scores

_MAX_CANDIDATES = 100_000
_CHUNK_NUMBERS = 4_000_000


@dataclass(frozen=True)
class WeightSearch:
    """What a search has found, for K models, N samples and F folds.

    Attributes:
        folds: ``[N]``, the fold of each sample, 0 to F-1.
        fold_weights: ``[F, K]``, the weights chosen on all other folds.
        fold_accuracies: ``[F]``, the accuracy with these on the fold itself.
        fused: ``[N, C]``, each sample's scores fused with the weights of its fold,
            which were chosen without it.
        weights: ``[K]``, chosen on all samples. For other data: their accuracy on
            these samples would flatter them.
        num_candidates: How many weights were tried.
    """

    folds: np.ndarray
    fold_weights: np.ndarray
    fold_accuracies: np.ndarray
    fused: np.ndarray
    weights: np.ndarray
    num_candidates: int


def search_weights(
    scores: Sequence[np.ndarray],
    labels: np.ndarray,
    num_folds: int = 5,
    steps: int = 10,
    seed: int = 0,
) -> WeightSearch:
    """Find fusion weights without ever scoring them on what they were chosen on.

    The samples are dealt into folds, class by class. For each fold the weights with
    the highest top-1 accuracy on the other folds are taken; of several, those nearest
    to equal weights.

    Args:
        scores: One ``[N, C]`` for each of K models, 2 or more.
        labels: ``[N]``.
        num_folds: Number of folds F.
        steps: Candidates are all weights that are multiples of ``1 / steps`` and sum
            up to 1: 286 for four models and 10 steps.
        seed: Of the deal.

    Returns:
        Weights, folds, accuracies and the fused scores.

    Raises:
        ValueError: If there are too few models, samples or steps, or too many
            candidates.
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
    candidates = np.array(list(_compositions(steps, len(scores)))) / steps
    # Of equally good ones argmax takes the first.
    distance = ((candidates - 1 / len(scores)) ** 2).sum(axis=1).round(9)
    candidates = candidates[np.argsort(distance, kind="stable")]
    correct = _correct(candidates, scores, labels)

    folds = _deal(labels, num_folds, seed)
    fold_weights = np.zeros((num_folds, len(scores)))
    fold_accuracies = np.zeros(num_folds)
    fused = np.zeros(scores[0].shape)
    for fold in range(num_folds):
        held_out = folds == fold
        best = correct[:, ~held_out].sum(axis=1).argmax()
        fold_weights[fold] = candidates[best]
        fused[held_out] = fuse_scores([s[held_out] for s in scores], candidates[best])
        hits = fused[held_out].argmax(axis=1) == labels[held_out]
        fold_accuracies[fold] = hits.mean()
    weights = candidates[correct.sum(axis=1).argmax()]
    return WeightSearch(
        folds, fold_weights, fold_accuracies, fused, weights, len(candidates)
    )


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Give every way to write ``total`` as a sum of ``parts`` numbers."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)


def _deal(labels: np.ndarray, num_folds: int, seed: int) -> np.ndarray:
    """Deal samples into folds, so that each fold has its share of each class."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    folds = np.empty(len(labels), dtype=np.int64)
    folds[by_class] = np.arange(len(labels)) % num_folds
    return folds


def _correct(
    candidates: np.ndarray, scores: Sequence[np.ndarray], labels: np.ndarray
) -> np.ndarray:
    """Say for each candidate and sample whether the ensemble is right, ``[W, N]``."""
    stacked = np.stack(scores)
    correct = np.empty((len(candidates), len(labels)), dtype=bool)
    # Bounds the memory: all fused scores at once would be gigabytes.
    chunk = max(1, _CHUNK_NUMBERS // (len(candidates) * stacked.shape[2]))
    for start in range(0, len(labels), chunk):
        part = slice(start, start + chunk)
        fused = np.tensordot(candidates, stacked[:, part], axes=1)
        correct[:, part] = fused.argmax(axis=2) == labels[part]
    return correct
