"""tools/analysis/plot_logs.py, on small logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.training_logs import epochs, write_run
from tools.analysis.plot_logs import main


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """A whole run, and one that stopped after half of it."""
    gap = [{**record, "loss_con": 1.0} for record in epochs(1, 4, loss=2.0)]
    write_run(tmp_path / "gap", gap)
    write_run(tmp_path / "plain", epochs(1, 2, loss=1.0))
    return [str(tmp_path / "gap"), str(tmp_path / "plain")]


def test_runs(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "curves.png"
    assert main([*runs, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "| gap | 2.0000 | 40.00 | 4 |" in printed
    assert "| plain (unfinished, epoch 2 of 4) | 1.0000 | 20.00 | 2 |" in printed
    assert out.read_bytes()[:4] == b"\x89PNG"
    options = ["--out", str(out), "--names", "A", "B"]
    assert main([*runs, *options, "--keys", "loss_con", "top1_acc"]) == 0
    printed = capsys.readouterr().out
    assert "| A | 1.0000 | 50.00 | 4 |" in printed
    assert "| B (unfinished, epoch 2 of 4) |  | 50.00 | 2 |" in printed


def test_bad_input(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "c.png"
    by_iteration = [{"loss": 1.0, "iter": 5, "step": 5}]
    write_run(tmp_path / "iterations", by_iteration)
    write_run(tmp_path / "odd", [{**by_iteration[0], "epoch": 1, "loss": "low"}])
    for paths, message in (
        ([*runs, str(tmp_path / "iterations")], "iterations: logged by iteration"),
        ([str(tmp_path / "odd")], "no run has logged loss, loss_cls, acc/top1"),
    ):
        assert main([*paths, "--out", str(out)]) == 1
        assert message in capsys.readouterr().err
        assert not out.exists()
