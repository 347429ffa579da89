"""The examples run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples import gap_in_plain_torch, gap_on_your_model


def test_plain_torch(capsys: pytest.CaptureFixture[str]) -> None:
    gap_in_plain_torch.main(["--epochs", "1", "--seeds", "1", "--clips", "4"])
    rows = re.findall(r"^(with\w* GAP) +([\d.]+) +\2$", capsys.readouterr().out, re.M)
    assert [name for name, _ in rows] == ["without GAP", "with GAP"]
    assert all(0 < float(accuracy) < 100 for _, accuracy in rows)


def test_your_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(gap_on_your_model.ROOT)
    top1 = gap_on_your_model.main(["--epochs", "1", "--work-dir", str(tmp_path)])
    assert 0 < top1 < 1
