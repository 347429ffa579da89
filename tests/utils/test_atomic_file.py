"""A file is written in full or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.utils.atomic_file import atomic_file


def test_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    for content in (b"one", b"two"):
        with atomic_file(path) as stream:
            stream.write(content)
        assert path.read_bytes() == content
    assert [item.name for item in path.parent.iterdir()] == ["a.txt"]


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), atomic_file(path) as stream:
        stream.write(b"new")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_rights_are_those_of_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_file(tmp_path / "atomic") as stream:
        stream.write(b"")
    modes = [(tmp_path / name).stat().st_mode for name in ("plain", "atomic")]
    assert modes[0] == modes[1]
