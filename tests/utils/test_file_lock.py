from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.utils import file_lock
from gap_mmaction.utils.file_lock import try_lock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pytest.importorskip("fcntl")
    file = tmp_path / "lock"
    file.touch()
    return file


def test_one_at_a_time(path: Path) -> None:
    with path.open("a+b") as mine, path.open("a+b") as other:
        assert try_lock(mine)
        assert not try_lock(other)
        assert not try_lock(other, shared=True)
    with path.open("a+b") as later:
        assert try_lock(later)


def test_shared(path: Path) -> None:
    with path.open("rb") as mine, path.open("rb") as other:
        assert try_lock(mine, shared=True)
        assert try_lock(other, shared=True)
        assert not try_lock(other)


def test_without_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with path.open("a+b") as mine, path.open("a+b") as other:
        assert try_lock(mine)
        monkeypatch.setattr(file_lock, "fcntl", None)
        assert try_lock(other)
