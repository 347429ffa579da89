"""A file is written in full or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.utils.atomic_pickle import write_annotations
from gap_mmaction.utils.restricted_pickle import load_annotations


def test_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.pkl"
    for content in ([1], [2]):
        write_annotations(content, path)
        assert load_annotations(path) == content
    assert [item.name for item in path.parent.iterdir()] == ["a.pkl"]


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    write_annotations([1], path)
    with pytest.raises((AttributeError, TypeError, ValueError)):
        write_annotations([(i for i in range(3))], path)
    assert load_annotations(path) == [1]
    assert [item.name for item in tmp_path.iterdir()] == ["a.pkl"]
