"""Two models class by class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from gap_mmaction.evaluation import ScoreFile, compare_classes


def file(predictions: Sequence[int], labels: Sequence[int]) -> ScoreFile:
    return ScoreFile("x", np.eye(4)[list(predictions)], np.array(labels))


#        right in both, gained, gained, lost | lost, wrong | right
LABELS = [0, 0, 0, 0, 1, 1, 2]
BASE = file([0, 1, 2, 0, 1, 0, 2], LABELS)
OTHER = file([0, 0, 0, 2, 3, 2, 2], LABELS)


def test_counts() -> None:
    overall, classes = compare_classes(BASE, OTHER)
    assert [item.count for item in classes] == [4, 2, 1, 0]
    assert [(item.only_base, item.only_other) for item in classes] == [
        *((1, 2), (1, 0), (0, 0), (0, 0))
    ]
    assert [item.base for item in classes[:3]] == [50, 50, 100]
    assert [item.difference for item in classes[:3]] == [25, -50, 0]
    assert math.isnan(classes[3].difference) and math.isnan(classes[3].interval[0])
    assert classes[3].p == 1
    assert (overall.index, overall.count, overall.difference) == (None, 7, 0)
    assert (overall.only_base, overall.only_other, overall.p) == (2, 2, 1)
    for item in (overall, *classes[:3]):
        low, high = item.interval
        assert low <= item.difference <= high


def test_a_difference_of_whole_points_is_exact() -> None:
    labels = [0] * 275
    base = file([1] * 11 + [0] * 264, labels)
    _, classes = compare_classes(base, file([0] * 275, labels), num_resamples=10)
    assert classes[0].difference == 4


def test_p_values_are_adjusted_for_the_classes() -> None:
    labels = [0] * 10 + [1] * 10
    overall, classes = compare_classes(
        file([1] * 10 + [1] * 10, labels), file(labels, labels)
    )
    assert classes[0].p == 2 / 2**10
    assert classes[0].p_holm == 4 * classes[0].p
    assert overall.p_holm == overall.p == classes[0].p


def test_seed() -> None:
    first = compare_classes(BASE, OTHER, num_resamples=50, seed=1)
    assert str(first) == str(compare_classes(BASE, OTHER, num_resamples=50, seed=1))


def test_other_samples() -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        compare_classes(BASE, file([0] * 6, LABELS[:6]))
