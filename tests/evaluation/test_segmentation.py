"""Measures of action segmentation, against cases counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gap_mmaction.evaluation.segmentation import auroc, labels_at, segmental_f1

TRUE = [(0, 10, 1), (10, 20, 2), (20, 25, -1)]
CUT = [(0, 6, 1), (6, 10, 1), (10, 16, 2), (16, 20, 2)]


def test_labels_and_auroc() -> None:
    times = np.array([-1, 0, 9.9, 10, 15, 20, 25])
    found = labels_at([*TRUE[:2], (22, 30, -2)], times)
    assert found.tolist() == [-1, 1, 1, 2, 2, -1, -1]
    scores = np.random.default_rng(0).integers(0, 5, 80) + (np.arange(80) < 30)
    expected = roc_auc_score(np.arange(80) < 30, scores)
    assert auroc(scores[:30], scores[30:]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("pairs", "overlap", "f1"),
    [
        *(([(TRUE, TRUE)], 0.5, 100), ([([], TRUE)], 0.1, 0), ([([], [])], 0.5, 0)),
        ([([(0, 10, 2), (10, 20, 1)], TRUE)], 0.1, 0),
        ([([(0, 10, 1), (10, 14.9, 2)], TRUE)], 0.5, 50),
        ([([(0, 10, 1), (10, 15, 2)], TRUE)], 0.5, 100),
        ([([(0, 10, 1), (10, 12, -1), (12, 20, 2), (20, 30, -2)], TRUE)], 0.5, 100),
        # Cut up: four found ones for two true ones, of which each is taken once.
        *(([(CUT, TRUE)], 0.1, 200 * 2 / 6), ([(CUT, TRUE)], 0.61, 0)),
        ([(TRUE, TRUE), ([], TRUE), ([(0, 1, 1)], [])], 0.5, 200 * 2 / 7),
    ],
)
def test_segmental_f1(pairs: Any, overlap: float, f1: float) -> None:
    assert segmental_f1(pairs, overlap) == pytest.approx(f1)
