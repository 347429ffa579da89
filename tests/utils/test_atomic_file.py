"""A file is written in full or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gap_mmaction.utils.files import atomic_file, remove_parts, try_lock


def test_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    for content in (b"one", b"two"):
        with atomic_file(path) as stream:
            stream.write(content)
        assert path.read_bytes() == content
    assert [item.name for item in path.parent.iterdir()] == ["a.txt"]
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), atomic_file(path) as stream:
        stream.write(b"new")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def test_durable_file_is_flushed_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    events = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(handle: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def note_replace(source: str, target: Path) -> None:
        assert Path(source).read_bytes() == b"abc"
        events.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    with atomic_file(path, durable=True) as stream:
        stream.write(b"abc")
    assert events == ["file", "rename", "folder"]


def test_what_killed_writers_leave_is_removed(tmp_path: Path) -> None:
    others = ["a.pth", "b.txt.abcdefgh.part", "a.pth.part", "a.pth.abcdefgh.party"]
    for name in others:
        (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "a.pth") as stream:
        stream.write(b"half")
        # As after a kill here.
        (part,) = set(tmp_path.iterdir()) - {tmp_path / name for name in others}
        assert remove_parts(tmp_path, "*.pth") == [part]
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted(others)


def test_locks(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "lock"
    path.touch()
    with path.open("a+b") as mine, path.open("a+b") as other:
        assert try_lock(mine)
        assert not try_lock(other)
        assert not try_lock(other, shared=True)
    with path.open("rb") as mine, path.open("rb") as other:
        assert try_lock(mine, shared=True)
        assert try_lock(other, shared=True)
        assert not try_lock(other)
