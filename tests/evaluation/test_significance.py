"""p values and intervals."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.evaluation.class_comparison import (
    holm,
    mcnemar_p,
    paired_bootstrap_interval,
)


@pytest.mark.parametrize(
    ("first", "second", "p"), [(0, 0, 1), (1, 0, 1), (0, 6, 2 / 64), (5, 5, 1)]
)
def test_mcnemar_by_hand(first: int, second: int, p: float) -> None:
    assert mcnemar_p(first, second) == p


def test_mcnemar_is_the_binomial_test() -> None:
    stats = pytest.importorskip("scipy.stats")
    for first in (0, 1, 3, 12, 40, 300):
        for second in (0, 2, 3, 25, 31, 900):
            if first + second:
                expected = stats.binomtest(first, first + second).pvalue
                assert mcnemar_p(first, second) == pytest.approx(expected, rel=1e-9)


def test_holm() -> None:
    assert holm([]) == []
    adjusted = holm([0.04, 0.01, 0.03, 0.5])
    assert adjusted == pytest.approx([0.09, 0.04, 0.09, 0.5])
    assert holm([0.9, 0.8]) == [1, 1]


def test_bootstrap_is_that_of_resampled_samples() -> None:
    """Against drawing the samples themselves, one by one."""
    outcomes = np.repeat([-1, 1, 0], [10, 25, 65])
    rng = np.random.default_rng(0)
    draws = rng.choice(outcomes, size=(20_000, 100)).mean(axis=1)
    expected = np.quantile(draws, [0.025, 0.975])
    found = paired_bootstrap_interval(10, 25, 100, np.random.default_rng(1), 20_000)
    np.testing.assert_allclose(found, expected, atol=0.011)
    assert found[0] < 0.15 < found[1]


def test_bootstrap_edges() -> None:
    rng = np.random.default_rng(0)
    assert paired_bootstrap_interval(0, 0, 5, rng) == (0, 0)
    assert paired_bootstrap_interval(0, 5, 5, rng) == (1, 1)
    first = paired_bootstrap_interval(1, 3, 9, np.random.default_rng(7))
    assert first == paired_bootstrap_interval(1, 3, 9, np.random.default_rng(7))
