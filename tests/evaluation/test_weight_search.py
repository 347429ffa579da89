"""Weights are chosen without the samples that they are scored on."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.evaluation import fuse_scores, search_weights
from tests.evaluation.score_files import noisy_scores

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(4), 25)
GOOD, FAIR, NOISE = (noisy_scores(LABELS, 4, RNG, signal) for signal in (2.5, 1, 0))


def test_weights_follow_the_signal() -> None:
    found = search_weights([NOISE, GOOD, FAIR], LABELS)
    assert found.num_candidates == 66
    np.testing.assert_allclose(found.fold_weights.sum(axis=1), 1)
    for weights in (*found.fold_weights, found.weights):
        assert weights.argmax() == 1
        assert weights[0] < 0.3


def test_each_fold_is_fused_with_weights_of_the_others() -> None:
    scores = [GOOD, FAIR]
    found = search_weights(scores, LABELS, num_folds=4, seed=3)
    for fold in range(4):
        inside = found.folds == fold
        expected = fuse_scores([s[inside] for s in scores], found.fold_weights[fold])
        np.testing.assert_array_equal(found.fused[inside], expected)
        right = expected.argmax(axis=1) == LABELS[inside]
        assert found.fold_accuracies[fold] == right.mean()
        # No other candidate is better on the other folds.
        outside = ~inside
        accuracies = [
            (fuse_scores([s[outside] for s in scores], w).argmax(1) == LABELS[outside])
            for w in [(i / 10, 1 - i / 10) for i in range(11)]
        ]
        chosen = fuse_scores([s[outside] for s in scores], found.fold_weights[fold])
        best = max(hits.mean() for hits in accuracies)
        assert (chosen.argmax(axis=1) == LABELS[outside]).mean() == best


def test_a_fold_does_not_choose_its_own_weights() -> None:
    """Labels of a fold changed: its weights stay, its accuracy does not."""
    before = search_weights([GOOD, FAIR, NOISE], LABELS)
    inside = before.folds == 0
    # The scores change, as the labels deal the folds.
    changed = [np.where(inside[:, None], -s, s) for s in (GOOD, FAIR, NOISE)]
    after = search_weights(changed, LABELS)
    np.testing.assert_array_equal(before.folds, after.folds)
    np.testing.assert_array_equal(before.fold_weights[0], after.fold_weights[0])
    assert after.fold_accuracies[0] < before.fold_accuracies[0]


def test_folds_are_seeded_and_hold_every_class() -> None:
    first = search_weights([GOOD, FAIR], LABELS, seed=1)
    again = search_weights([GOOD, FAIR], LABELS, seed=1)
    other = search_weights([GOOD, FAIR], LABELS, seed=2)
    np.testing.assert_array_equal(first.folds, again.folds)
    np.testing.assert_array_equal(first.fused, again.fused)
    assert (first.folds != other.folds).any()
    for label in range(4):
        counts = np.bincount(first.folds[label == LABELS], minlength=5)
        assert counts.tolist() == [5] * 5


def test_equally_good_weights() -> None:
    found = search_weights([GOOD, GOOD, GOOD], LABELS, steps=9)
    np.testing.assert_allclose(found.weights, 1 / 3)
    np.testing.assert_allclose(found.fold_weights, 1 / 3)


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        (1, {}, "2 models or more"),
        (2, {"num_folds": 1}, "1 folds of 100 samples"),
        (2, {"num_folds": 101}, "101 folds of 100 samples"),
        (2, {"steps": 0}, "0 steps"),
        (9, {"steps": 30}, "at most 100,000"),
    ],
)
def test_bad_settings(models: int, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search_weights([GOOD] * models, LABELS, **options)
