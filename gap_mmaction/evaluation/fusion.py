"""Ensembles of streams: weighted sums of scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TRANSFORMS = ("none", "softmax", "log")


def transform_scores(scores: np.ndarray, transform: str, name: str) -> np.ndarray:
    """Change the form of scores before they are fused.

    Args:
        scores: ``[N, C]``.
        transform: ``none``; ``softmax``, scores to probabilities; or ``log``,
            probabilities to their logarithms. These differ from the scores that
            softmax was applied to by a number that is the same for all classes of a
            sample, so that the ensemble decides as one of the raw scores does.
        name: What messages call the scores.

    Returns:
        ``[N, C]``, float64.

    Raises:
        ValueError: If there is no such transform, or ``log`` meets scores that are no
            probabilities.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if transform == "none":
        return scores
    if transform == "softmax":
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)
    if transform == "log":
        if not are_probabilities(scores):
            raise ValueError(
                f"{name}: the scores are no probabilities (not negative, with the sum "
                "1), of which the logarithm could be taken; fuse them as they are"
            )
        # Zero, where float32 could not tell it from zero.
        return np.log(np.maximum(scores, np.finfo(np.float32).smallest_subnormal))
    raise ValueError(f"transform '{transform}' is none of {', '.join(TRANSFORMS)}")


def are_probabilities(scores: np.ndarray) -> bool:
    """Say whether every row of ``[N, C]`` is a distribution, to half precision."""
    sums = scores.sum(axis=1)
    return bool((scores >= 0).all() and (np.abs(sums - 1) < 1e-2).all())


def fuse_scores(scores: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """Add up the scores of several models, weighted.

    This is the ensemble of CTR-GCN and of the public GAP implementation, which add
    raw scores. The paper's weights are 0.8 for joint and bone, 0.2 for both motions.

    Args:
        scores: One ``[N, C]`` for each model.
        weights: One number for each model; only their ratios matter for a decision.

    Returns:
        ``[N, C]``, float64.

    Raises:
        ValueError: If there is another number of weights, they are not finite or all
            zero, or the shapes differ.
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
