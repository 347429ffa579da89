"""Weighted sums, and the search for weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gap_mmaction.evaluation import fuse_scores, search_weights, transform_scores
from tests.evaluation.score_files import noisy_scores

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(4), 25)
GOOD, FAIR, NOISE = (noisy_scores(LABELS, 4, RNG, signal) for signal in (2.5, 1, 0))


def test_other_scores_and_weights() -> None:
    assert np.isfinite(transform_scores(np.array([[1.0, 0.0]]), "log", "x")).all()
    for scores in ([[0.5, 0.6]], [[1.5, -0.5]]):
        with pytest.raises(ValueError, match=r"x\.pkl: the scores are no probabilit"):
            transform_scores(np.array(scores), "log", "x.pkl")
    for weights, message in (
        ([1.0], "1 weights for 2 models"),
        ([0.0, 0.0], "one other than 0"),
        ([1.0, np.nan], "must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            fuse_scores([np.zeros((3, 2))] * 2, weights)
    with pytest.raises(ValueError, match=r"\(3, 2\), \(4, 2\)"):
        fuse_scores([np.zeros((3, 2)), np.zeros((4, 2))], [1, 1])


def test_weights_follow_the_signal() -> None:
    found = search_weights([NOISE, GOOD, FAIR], LABELS)
    assert found.num_candidates == 66
    np.testing.assert_allclose(found.fold_weights.sum(axis=1), 1)
    for weights in (*found.fold_weights, found.weights):
        assert weights.argmax() == 1
        assert weights[0] < 0.3
    # Of equally good weights the nearest to equal ones.
    same = search_weights([GOOD, GOOD, GOOD], LABELS, steps=9)
    np.testing.assert_allclose(same.weights, 1 / 3)


def test_each_fold_is_fused_with_the_best_weights_of_the_others() -> None:
    scores = [GOOD, FAIR]
    found = search_weights(scores, LABELS, num_folds=4, seed=3)

    def right(rows: np.ndarray, weights: Sequence[float]) -> float:
        fused = fuse_scores([s[rows] for s in scores], weights)
        return float((fused.argmax(axis=1) == LABELS[rows]).mean())

    for fold, weights in enumerate(found.fold_weights):
        inside = found.folds == fold
        expected = fuse_scores([s[inside] for s in scores], weights)
        np.testing.assert_array_equal(found.fused[inside], expected)
        assert found.fold_accuracies[fold] == right(inside, weights)
        others = [right(~inside, (i / 10, 1 - i / 10)) for i in range(11)]
        assert right(~inside, weights) == max(others)


def test_folds_are_seeded_and_hold_every_class() -> None:
    first, again = (search_weights([GOOD, FAIR], LABELS, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.fused, again.fused)
    for label in range(4):
        counts = np.bincount(first.folds[label == LABELS], minlength=5)
        assert counts.tolist() == [5] * 5
    for models, options, message in (
        (1, {}, "2 models or more"),
        (2, {"num_folds": 101}, "101 folds of 100 samples"),
        (2, {"steps": 0}, "0 steps"),
        (9, {"steps": 30}, "at most 100,000"),
    ):
        with pytest.raises(ValueError, match=message):
            search_weights([GOOD] * models, LABELS, **options)
