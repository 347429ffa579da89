"""Whether two models that saw the same samples differ by more than chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Give McNemar's exact p value, two-sided.

    Only samples on which one of two models is right say anything about which is the
    better one. If neither is, each of these samples falls to either side like a coin.

    Args:
        only_first: Number of samples that only the first model has right.
        only_second: Number of samples that only the second model has right.

    Returns:
        The probability of a split at least as uneven by chance, 0 to 1.
    """
    count, fewer = only_first + only_second, min(only_first, only_second)
    # Integers as large as it takes, so that nothing is lost; ``/`` rounds once.
    ways, tail = 1, 0
    for i in range(fewer + 1):
        tail += ways
        ways = ways * (count - i) // (i + 1)
    return min(1.0, 2 * tail / 2**count)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for there being several, after Holm.

    Args:
        p_values: One for each comparison.

    Returns:
        The adjusted ones in the same order. Calling those below 0.05 significant is
        wrong for any of them with a probability of 0.05 at most.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, (len(p_values) - rank) * p_values[i])
        adjusted[i] = min(1.0, highest)
    return adjusted


def paired_bootstrap_interval(
    only_first: int,
    only_second: int,
    count: int,
    rng: np.random.Generator,
    num_resamples: int = 10_000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Give the percentile interval of a difference of accuracies.

    The samples are drawn anew with replacement, each with the answers of both models.
    Since a sample counts +1, 0 or -1, such a draw is one of a multinomial.

    Args:
        only_first: Number of samples that only the first model has right.
        only_second: Number of samples that only the second model has right.
        count: Number of all samples, at least 1.
        rng: Source of the draws.
        num_resamples: Number of draws.
        confidence: Share of draws within the interval.

    Returns:
        Lower and upper end of the second accuracy minus the first, -1 to 1.
    """
    shares = np.array([only_first, only_second, count - only_first - only_second])
    draws = rng.multinomial(count, shares / count, size=num_resamples)
    differences = (draws[:, 1] - draws[:, 0]) / count
    tail = (1 - confidence) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return float(low), float(high)
