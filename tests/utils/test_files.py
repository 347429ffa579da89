"""Files are written in full or not at all, locked, and found where they ship."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gap_mmaction.utils import files
from gap_mmaction.utils.dependency import find_package_folder


def test_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    for content in (b"one", b"two"):
        with files.atomic_file(path) as stream:
            stream.write(content)
        assert path.read_bytes() == content
    with pytest.raises(KeyError), files.atomic_file(path) as stream:
        stream.write(b"new")
        raise KeyError
    assert path.read_bytes() == b"two"
    assert [item.name for item in path.parent.iterdir()] == ["a.txt"]
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_durable_file_is_flushed_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, fsync, replace = [], os.fsync, os.replace

    def note_fsync(handle: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def note_replace(source: str, target: Path) -> None:
        assert Path(source).read_bytes() == b"abc"
        events.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    with files.atomic_file(tmp_path / "a.txt", durable=True) as stream:
        stream.write(b"abc")
    assert events == ["file", "rename", "folder"]


def test_digest_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content, start in ((b"abc", "ba7816bf"), (b"abd", "a52d159f")):
        path.write_bytes(content)
        os.utime(path, ns=(0, content[2]))
        assert files.file_digest(path)[:8] == start


def test_what_killed_writers_leave_is_removed(tmp_path: Path) -> None:
    others = ["a.pth", "b.txt.abcdefgh.part", "a.pth.part", "a.pth.abcdefgh.party"]
    for name in others:
        (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError), files.atomic_file(tmp_path / "a.pth"):
        # As after a kill here.
        (part,) = set(tmp_path.iterdir()) - {tmp_path / name for name in others}
        assert files.remove_parts(tmp_path, "*.pth") == [part]
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted(others)


def test_locks(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "lock"
    path.touch()
    with path.open("rb") as mine, path.open("rb") as other:
        assert files.try_lock(mine)
        assert not files.try_lock(other)
    with path.open("rb") as other:
        assert files.try_lock(other)


def test_a_path_comes_before_what_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = Path("data/descriptions/nwucla.yaml")
    shipped = files.find_description_file("nwucla")
    assert shipped.is_file() and shipped == files.find_shipped_file(own)
    own.parent.mkdir(parents=True)
    own.touch()
    assert files.find_description_file("nwucla").resolve() == own.resolve()
    assert files.find_description_file("mine/no.yaml") == Path("mine/no.yaml")


def test_find_package_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, folder = "some_weights/model", tmp_path / "site" / "some_weights" / "model"
    folder.mkdir(parents=True)
    # Importing it would fail.
    (folder.parent / "__init__.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert find_package_folder(name) == str(folder)
    assert files.name_of_model(str(folder)) == files.name_of_model(name) == name
    for other in ("some_weights/other", "some_weights", "no_such/model", "a-b/model"):
        assert find_package_folder(other) is None
    # A folder of that name is meant first.
    monkeypatch.chdir(tmp_path / "site")
    assert find_package_folder(name) is None
