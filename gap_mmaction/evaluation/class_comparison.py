"""Two models class by class, as in Fig. 6 of the paper, and whether it is chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from .score_file import ScoreFile, check_same_samples


@dataclass(frozen=True)
class ClassComparison:
    """One class, or all samples, under two models; accuracies are in percent."""

    index: int | None  # None: all samples
    count: int
    base: float  # accuracy of the first model; nan without samples
    other: float
    difference: float  # the second minus the first, in points
    interval: tuple[float, float]  # 95 % paired bootstrap interval of the difference
    only_base: int  # samples that only the first model has right
    only_other: int
    p: float  # McNemar's exact p value
    p_holm: float  # the same, adjusted for the number of classes


def compare_classes(
    base: ScoreFile, other: ScoreFile, num_resamples: int = 10_000, seed: int = 0
) -> tuple[ClassComparison, list[ClassComparison]]:
    """Compares two models on the same samples, ``base`` such as the one without GAP.

    Returns the comparison over all samples, and that of each class in order.
    """
    check_same_samples([base, other])
    labels, rng = base.labels, np.random.default_rng(seed)
    base_right = base.predictions == labels
    other_right = other.predictions == labels

    def compare(index: int | None) -> ClassComparison:
        chosen = np.full(len(labels), True) if index is None else labels == index
        count = int(chosen.sum())
        only_base = int((base_right & ~other_right & chosen).sum())
        only_other = int((other_right & ~base_right & chosen).sum())
        low = high = math.nan
        if count:
            low, high = paired_bootstrap_interval(
                only_base, only_other, count, rng, num_resamples
            )
        p = mcnemar_p(only_base, only_other)
        return ClassComparison(
            index=index,
            count=count,
            base=_percent(int((base_right & chosen).sum()), count),
            other=_percent(int((other_right & chosen).sum()), count),
            difference=_percent(only_other - only_base, count),
            interval=(100 * low, 100 * high),
            only_base=only_base,
            only_other=only_other,
            p=p,
            p_holm=p,
        )

    overall = compare(None)
    classes = [compare(index) for index in range(base.scores.shape[1])]
    adjusted = holm([item.p for item in classes])
    return overall, [replace(item, p_holm=p) for item, p in zip(classes, adjusted)]


def _percent(samples: int, count: int) -> float:
    # Multiplied first: 11 of 275 samples are exactly 4 %, not 4.000000000000001.
    return 100 * samples / count if count else math.nan


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Returns McNemar's exact p value, two-sided.

    Only samples that one model alone has right say which is the better one. If neither
    is, each of these samples falls to either side like a coin.
    """
    count = only_first + only_second
    return float(stats.binomtest(only_first, count).pvalue) if count else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p values for there being several, after Holm, in the same order."""
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    factors = len(values) - np.arange(len(values))
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(factors * values[order]).clip(max=1)
    return adjusted.tolist()


def paired_bootstrap_interval(
    only_first: int,
    only_second: int,
    count: int,
    rng: np.random.Generator,
    num_resamples: int = 10_000,
) -> tuple[float, float]:
    """Returns the 95 % percentile interval of the second accuracy minus the first.

    The samples are drawn anew with replacement, each with the answers of both models.
    Since a sample counts +1, 0 or -1, such a draw is one of a multinomial.
    """
    shares = np.array([only_first, only_second, count - only_first - only_second])
    draws = rng.multinomial(count, shares / count, size=num_resamples)
    differences = (draws[:, 1] - draws[:, 0]) / count
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)
