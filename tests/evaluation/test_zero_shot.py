"""Accuracies of zero-shot recognition, and calibrated stacking."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.evaluation import seen_unseen
from gap_mmaction.evaluation.zero_shot import (
    Generalised,
    combine_slots,
    evaluate_zero_shot,
)

# Classes 0 and 2 are seen.
IS_SEEN = np.array([True, False, True, False])
SCORES = np.array(
    [
        [0.9, 0.5, 0.1, 0.0],  # seen 0: right, ahead by 0.4
        [0.3, 0.6, 0.2, 0.1],  # seen 0: right among the seen, behind by 0.3
        [0.8, 0.1, 0.7, 0.0],  # seen 2: wrong
        [0.4, 0.3, 0.0, 0.2],  # unseen 1: right among the unseen, behind by 0.1
        [0.1, 0.5, 0.0, 0.4],  # unseen 3: wrong
        [0.2, 0.6, 0.0, 0.3],  # unseen 1: right
    ]
)
LABELS = np.array([0, 0, 2, 1, 3, 1])
# A right one, ahead by 0.2.
HELD_OUT = np.array([[0.7, 0.5, 0.1, 0.0]]), np.array([0])


def random_scores(clips: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, clips)
    scores = rng.normal(size=(clips, 4)) + 0.7 * IS_SEEN
    scores[np.arange(clips), labels] += 1
    return scores, labels


class TestEvaluate:
    def test_by_hand(self) -> None:
        found = evaluate_zero_shot(SCORES, LABELS, IS_SEEN, HELD_OUT)
        assert found.unseen == pytest.approx(2 / 3)
        assert found.unseen_by_class == (1.0, 0.0)
        assert found.unseen_mean_class == 0.5
        assert found.seen == pytest.approx(2 / 3)
        # The factor turns the fourth clip, and no seen one.
        assert found.fitted["factor"] == pytest.approx(0.2)
        constant = found.generalised["constant"]
        assert (constant.seen, constant.unseen) == pytest.approx((1 / 3, 2 / 3))
        content = found.to_dict()
        assert content["generalised"]["constant"]["harmonic"] == pytest.approx(400 / 9)
        # A class without clips.
        found = evaluate_zero_shot(SCORES[:4], LABELS[:4], IS_SEEN, HELD_OUT)
        assert found.to_dict()["unseen_by_class"] == [100.0, None]
        assert found.unseen_mean_class == 1.0

    def test_errors(self) -> None:
        for rows, kind in (([0, 1], "unseen"), ([3, 4], "seen")):
            with pytest.raises(ValueError, match=f"none is of a {kind} class"):
                evaluate_zero_shot(SCORES[rows], LABELS[rows], IS_SEEN, HELD_OUT)
        with pytest.raises(ValueError, match="not finite"):
            evaluate_zero_shot(SCORES * np.nan, LABELS, IS_SEEN, HELD_OUT)
        with pytest.raises(ValueError, match="1 of the clips are of unseen ones"):
            evaluate_zero_shot(SCORES, LABELS, IS_SEEN, (SCORES[:4], LABELS[:4]))
        with pytest.raises(ValueError, match=r"max_loss=1\.0"):
            evaluate_zero_shot(SCORES, LABELS, IS_SEEN, HELD_OUT, 1.0)


class TestGate:
    def test_temperature_of_labels_drawn_by_it(self) -> None:
        rng = np.random.default_rng(0)
        scores = rng.uniform(-1, 1, (20_000, 4))
        # The largest of the scores with Gumbel noise is one drawn by their softmax.
        noise = rng.gumbel(size=(20_000, 2))
        labels = 2 * (scores[:, IS_SEEN] / 0.2 + noise).argmax(axis=1)
        found = seen_unseen.fit_temperature(scores, labels, IS_SEEN)
        assert found == pytest.approx(0.2, rel=0.05)

    def test_experts(self) -> None:
        scores = 2 * np.log([[1.0, 30.0, 3.0, 10.0, 4.0]])
        is_seen = np.array([True, False, True, False, True])
        found = seen_unseen.expert_probabilities(scores, is_seen, 2.0)
        expected = [3 / 40, 2 / 5 * 3 / 4, 9 / 40, 2 / 5 / 4, 12 / 40]
        np.testing.assert_allclose(found, [expected])

    @pytest.mark.parametrize("shift", [0.0, 5.0])
    def test_where_no_constant_helps(self, shift: float) -> None:
        """Of the gate it does not matter how high the scores of either kind are."""
        is_seen = np.array([True] * 3 + [False] * 2)
        seen = np.array([[0.9, 0.1, 0.2, 0.4, 0.3], [0.2, 0.9, 0.1, 0.3, 0.4]])
        unseen = np.array([[0.9, 0.8, 0.9, 0.4, 0.1], [0.9, 0.9, 0.8, 0.1, 0.4]])
        held_out = np.array([*seen, [0.0, 0.2, 0.9, 0.3, 0.2]]), np.arange(3)
        scores = np.concatenate([seen, unseen]) + shift * is_seen
        labels = np.array([0, 1, 3, 4])
        found = evaluate_zero_shot(scores, labels, is_seen, held_out)
        assert found.generalised["none"].harmonic == 0
        assert found.generalised["constant"].unseen == 0
        assert found.generalised["gate"] == Generalised(1.0, 1.0)
        assert 0 < found.fitted["threshold"] < 1


def test_loses_as_many_as_allowed() -> None:
    scores, labels = random_scores()
    held_out = IS_SEEN[labels]
    scores, labels = scores[held_out], labels[held_out]
    among_seen = np.where(IS_SEEN, scores, -np.inf).argmax(1) == labels

    def kept(factor: float) -> int:
        return int(((scores - factor * IS_SEEN).argmax(1) == labels).sum())

    for share in (0.0, 0.1, 0.5):
        factor = seen_unseen.choose_factor(scores, labels, IS_SEEN, share)
        allowed = int(share * among_seen.sum())
        assert kept(factor) == among_seen.sum() - allowed
        # It is the largest one.
        assert kept(factor + 1e-6) == among_seen.sum() - allowed - 1


def test_is_that_of_many_factors() -> None:
    scores, labels = random_scores()
    factors = np.linspace(-12, 12, 20_001)
    found = [(scores - factor * IS_SEEN).argmax(1) == labels for factor in factors]
    of_seen = IS_SEEN[labels]
    seen, unseen = (np.array(found)[:, k].mean(1) for k in (of_seen, ~of_seen))
    expected = ((seen[:-1] - seen[1:]) * (unseen[:-1] + unseen[1:]) / 2).sum()
    area = seen_unseen.seen_unseen_area(scores, labels, IS_SEEN)
    assert area == pytest.approx(expected, abs=1e-3)


def test_decides_as_the_product_of_distributions() -> None:
    cosines = np.random.default_rng(0).uniform(-1, 1, (50, 3, 4))
    exponentials = np.exp(cosines / 0.1)
    each = exponentials / exponentials.sum(2, keepdims=True)
    decided = each.prod(1).argmax(1)
    assert len(set(decided)) == 4
    np.testing.assert_array_equal(combine_slots(cosines).argmax(1), decided)
    np.testing.assert_allclose(combine_slots(cosines, [0, 2, 0]), cosines[:, 1])
    for weights in ([1, 1], [0, 0, 0], [1, -1, 1], [1, np.nan, 1]):
        with pytest.raises(ValueError, match="weights"):
            combine_slots(np.zeros((1, 3, 2)), weights)
