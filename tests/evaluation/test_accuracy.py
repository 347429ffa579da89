"""Confusion matrices, and names of classes."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.evaluation.accuracy import confusion_matrix, most_confused
from gap_mmaction.evaluation.class_names import find_class, load_class_names


def test_confusion() -> None:
    labels = np.array([0, 0, 0, 1, 1, 3])
    matrix = confusion_matrix(np.array([0, 1, 1, 1, 0, 3]), labels, 4)
    # Rows are true classes.
    assert matrix.tolist() == [[1, 2, 0, 0], [1, 1, 0, 0], [0] * 4, [0, 0, 0, 1]]
    assert most_confused(matrix, 10) == [(0, 1, 2), (1, 0, 1)]
    assert most_confused(matrix, 1) == [(0, 1, 2)]
    assert most_confused(np.diag([3, 4]), 10) == []
    assert matrix[0, 0] == 1  # not changed


def test_names() -> None:
    assert load_class_names(None, 3) == ["0", "1", "2"]
    by_name = load_class_names("nwucla", 10)
    assert by_name[5] == "stand up"
    assert load_class_names("data/descriptions/nwucla.yaml", 10) == by_name
    with pytest.raises(ValueError, match=r"nwucla: describes 10 classes.*60"):
        load_class_names("nwucla", 60)
    with pytest.raises(FileNotFoundError, match="none"):
        load_class_names("none.yaml", 3)
    wanted = {"sit": 0, "1": 2, "0": 0, "2": 2, "3": None, "-1": None, "²": None}
    for name, index in wanted.items():
        # A name comes first, even one that looks like an index.
        assert find_class(name, ["sit", "stand", "1"]) == index
