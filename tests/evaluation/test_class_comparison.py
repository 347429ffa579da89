"""Results class by class: two models side by side, confusion, names of classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gap_mmaction.evaluation import ScoreFile, check_same_samples, compare_classes
from gap_mmaction.evaluation.accuracy import confusion_matrix, most_confused
from gap_mmaction.evaluation.class_comparison import (
    holm,
    mcnemar_p,
    paired_bootstrap_interval,
)
from gap_mmaction.evaluation.class_names import find_class, load_class_names


def file(
    predictions: list[int], labels: list[int], path: str = "x", **options: Any
) -> ScoreFile:
    scores = np.eye(4)[predictions]
    return ScoreFile(path, scores, np.array(labels), **options)


#        right in both, gained, gained, lost | lost, wrong | right
LABELS = [0, 0, 0, 0, 1, 1, 2]
BASE = file([0, 1, 2, 0, 1, 0, 2], LABELS)
OTHER = file([0, 0, 0, 2, 3, 2, 2], LABELS)


def test_counts() -> None:
    overall, classes = compare_classes(BASE, OTHER)
    assert [item.count for item in classes] == [4, 2, 1, 0]
    assert [item.only_other for item in classes] == [2, 0, 0, 0]
    assert [item.difference for item in classes[:3]] == [25, -50, 0]
    assert math.isnan(classes[3].difference) and math.isnan(classes[3].interval[0])
    assert (overall.count, overall.difference, overall.p) == (7, 0, 1)
    # 11 of 275 samples are exactly 4 %.
    base, zeros = file([1] * 11 + [0] * 264, [0] * 275), [0] * 275
    assert compare_classes(base, file(zeros, zeros), 10)[0].difference == 4


def test_p_values() -> None:
    for first, second, p in ((0, 0, 1), (1, 0, 1), (0, 6, 2 / 64), (5, 5, 1)):
        assert mcnemar_p(first, second) == pytest.approx(p)
    # By hand: twice the tail of the coin's distribution.
    tail = sum(math.comb(43, i) for i in range(13)) / 2**43
    assert mcnemar_p(12, 31) == mcnemar_p(31, 12) == pytest.approx(2 * tail)
    adjusted = holm([0.04, 0.01, 0.03, 0.5])
    assert adjusted == pytest.approx([0.09, 0.04, 0.09, 0.5])
    # As of the classes.
    labels = [0] * 10 + [1] * 10
    overall, classes = compare_classes(file([1] * 20, labels), file(labels, labels))
    assert classes[0].p == overall.p_holm == pytest.approx(2 / 2**10)
    assert classes[0].p_holm == 4 * classes[0].p


def test_bootstrap_is_that_of_resampled_samples() -> None:
    outcomes = np.repeat([-1, 1, 0], [10, 25, 65])
    rng = np.random.default_rng(0)
    draws = rng.choice(outcomes, size=(20_000, 100)).mean(axis=1)
    expected = np.quantile(draws, [0.025, 0.975])
    found = paired_bootstrap_interval(10, 25, 100, np.random.default_rng(1), 20_000)
    np.testing.assert_allclose(found, expected, atol=0.011)


def test_other_samples() -> None:
    first = file(LABELS, LABELS, sample_ids=[*"abcdefg"])
    assert check_same_samples([first, first])
    assert not check_same_samples([first, BASE])
    for labels, ids, message in (
        (LABELS[:3], None, "3 samples and 7"),
        ([0, 0, 0, 1, 0, 1, 2], None, "sample 3 .*label 1 .* and 0 .*, and 2 samples"),
        (LABELS, [*"acbdefg"], "another order, sample 1 is 'c' .* 'b'"),
        (LABELS, [*"azcdefg"], "1 of 7 samples are only in y.*'z'"),
        (LABELS[:6], [*"abcdef"], "1 of 7 samples are only in x.*'g'"),
    ):
        other = file(labels, labels, path="y", sample_ids=ids)
        message = f"y and x do not belong together: .*{message}"
        with pytest.raises(ValueError, match=message):
            check_same_samples([first, first, other])


def test_confusion() -> None:
    labels = np.array([0, 0, 0, 1, 1, 3])
    matrix = confusion_matrix(np.array([0, 1, 1, 1, 0, 3]), labels, 4)
    # Rows are true classes.
    assert matrix.tolist() == [[1, 2, 0, 0], [1, 1, 0, 0], [0] * 4, [0, 0, 0, 1]]
    assert most_confused(matrix, 10) == [(0, 1, 2), (1, 0, 1)]
    assert most_confused(matrix, 1) == [(0, 1, 2)]


def test_names() -> None:
    assert load_class_names(None, 3) == ["0", "1", "2"]
    by_name = load_class_names("nwucla", 10)
    assert by_name[5] == "stand up"
    with pytest.raises(ValueError, match=r"nwucla: describes 10 classes.*60"):
        load_class_names("nwucla", 60)
    wanted = {"sit": 0, "1": 2, "0": 0, "2": 2, "3": None, "-1": None, "²": None}
    for name, index in wanted.items():
        # A name comes first, even one that looks like an index.
        assert find_class(name, ["sit", "stand", "1"]) == index
