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
    printed = capsys.readouterr()
    assert "| run | last loss | last acc/top1 | epoch |" in printed.out
    assert "| gap | 2.0000 | 40.00 | 4 |" in printed.out
    assert "| plain (unfinished, epoch 2 of 4) | 1.0000 | 20.00 | 2 |" in printed.out
    assert f"{runs[1]} is unfinished, epoch 2 of 4" in printed.err
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_keys_and_names(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--out", str(tmp_path / "c.png"), "--names", "A", "B"]
    assert main([*runs, *options, "--keys", "loss_con", "top1_acc"]) == 0
    out = capsys.readouterr().out
    assert "| A | 1.0000 | 50.00 | 4 |" in out
    assert "| B (unfinished, epoch 2 of 4) |  | 50.00 | 2 |" in out
    assert main([*runs, *options, "--keys", "loss_x", "loss"]) == 1
    error = capsys.readouterr().err
    assert "no run has logged loss_x; there are ['acc/top1', 'loss'" in error


def test_runs_of_the_same_name(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "b" / "gap", epochs(1, 4, loss=3.0))
    other = str(tmp_path / "b" / "gap")
    assert main([runs[0], other, "--out", str(tmp_path / "c.png")]) == 0
    out = capsys.readouterr().out
    assert f"| {runs[0]} |" in out and f"| {other} |" in out


def test_bad_input(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "c.png"
    (tmp_path / "empty").mkdir()
    by_iteration = [{"loss": 1.0, "iter": 5, "step": 5}]
    write_run(tmp_path / "iterations", by_iteration)
    write_run(tmp_path / "odd", [{**by_iteration[0], "epoch": 1, "loss": "low"}])
    for paths, message in (
        ([*runs, str(tmp_path / "empty")], "stopped before the first line"),
        ([str(tmp_path / "none")], "there is no such run folder"),
        ([*runs, str(tmp_path / "iterations")], "iterations: logged by iteration"),
        ([str(tmp_path / "odd")], "no run has logged loss, loss_cls, acc/top1"),
    ):
        assert main([*paths, "--out", str(out)]) == 1
        assert message in capsys.readouterr().err
        assert not out.exists()
    for options in (["--out", "c.txt"], ["--out", str(out), "--names", "A"]):
        with pytest.raises(SystemExit):
            main([*runs, *options])
