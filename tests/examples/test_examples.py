"""The examples run as they stand."""

from __future__ import annotations

import re

import pytest

from examples import gap_in_plain_torch


def test_plain_torch(capsys: pytest.CaptureFixture[str]) -> None:
    gap_in_plain_torch.main(["--epochs", "1", "--seeds", "1", "--clips", "4"])
    rows = re.findall(r"^(with\w* GAP) +([\d.]+) +\2$", capsys.readouterr().out, re.M)
    assert [name for name, _ in rows] == ["without GAP", "with GAP"]
    assert all(0 < float(accuracy) < 100 for _, accuracy in rows)
