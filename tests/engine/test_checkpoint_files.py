"""Which checkpoint a run goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gap_mmaction.engine import BrokenCheckpointError, checkpoint_files
from gap_mmaction.engine.checkpoint_files import find_resumable, read_meta


def save(folder: Path, epoch: int) -> Path:
    path = folder / f"epoch_{epoch}.pth"
    state = {"weight": torch.full((1000,), float(epoch))}
    meta = dict(epoch=epoch, iter=4 * epoch, seed=7)
    content = dict(meta=meta, state_dict=state, message_hub={}, optimizer={})
    torch.save(content, path)
    (folder / "last_checkpoint").write_text(str(path))
    return path


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(checkpoint_files, "_warn", found.append)
    return found


def test_last_one(tmp_path: Path, warnings: list[str]) -> None:
    assert find_resumable(tmp_path) is None
    save(tmp_path, 9)
    last = save(tmp_path, 10)
    assert find_resumable(tmp_path) == last
    assert read_meta(last) == dict(epoch=10, iter=40, seed=7)
    # Written, but not yet named: the run was killed in between.
    (tmp_path / "last_checkpoint").write_text(str(tmp_path / "epoch_9.pth"))
    assert find_resumable(tmp_path) == tmp_path / "epoch_9.pth"
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert find_resumable(moved) == moved / "epoch_9.pth"
    assert not warnings


def test_damaged_one_is_passed_over(tmp_path: Path, warnings: list[str]) -> None:
    for epoch in (8, 9, 10):
        last = save(tmp_path, epoch)
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    assert find_resumable(tmp_path) == tmp_path / "epoch_9.pth"
    assert "epoch_10.pth" in warnings[0] and "epoch_9.pth" in warnings[1]
    (tmp_path / "epoch_9.pth").unlink()
    assert find_resumable(tmp_path) == tmp_path / "epoch_8.pth"


def test_one_wrong_byte_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    content = bytearray(path.read_bytes())
    value = torch.tensor(1.0).numpy().tobytes()
    content[content.index(value * 100) + 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(BrokenCheckpointError, match=r"epoch_1\.pth"):
        read_meta(path)
    best: dict[str, Any] = dict(meta=dict(epoch=1, iter=4), message_hub={})
    for more in (best, {}):
        torch.save({"state_dict": {}, **more}, path)
        with pytest.raises(BrokenCheckpointError, match="set load_from instead"):
            read_meta(path)
    with pytest.raises(FileNotFoundError):
        read_meta(tmp_path / "none.pth")


def test_random_bytes_are_a_damage(tmp_path: Path, warnings: list[str]) -> None:
    good, last = save(tmp_path, 1), save(tmp_path, 2)
    content, rng = last.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(content)
        start = rng.integers(len(content) - 64)
        damaged[start : start + 64] = rng.bytes(64)
        last.write_bytes(damaged)
        assert find_resumable(tmp_path) in (good, last)
    assert len(warnings) > 100


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and so on"])
def test_none_is_whole(tmp_path: Path, content: bytes) -> None:
    save(tmp_path, 1).write_bytes(content)
    with pytest.raises(BrokenCheckpointError, match=r"epoch_1\.pth.*start anew"):
        find_resumable(tmp_path)


def test_without_last_checkpoint(tmp_path: Path, warnings: list[str]) -> None:
    for epoch in (9, 10):
        last = save(tmp_path, epoch)
    (tmp_path / "best_acc_top1_epoch_11.pth").touch()
    for remove in (lambda file: file.write_text("\n"), Path.unlink):
        remove(tmp_path / "last_checkpoint")
        assert find_resumable(tmp_path) == last
    assert len(warnings) == 2
