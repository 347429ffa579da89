"""tools/analysis/compare_classes.py, confusion_matrix.py and plot_logs.py."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.files import dump, epochs, write_run
from tools.analysis import compare_classes, confusion_matrix, plot_logs

LABELS = np.repeat(np.arange(10), 4)


def test_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Class 5 gains two of four samples, class 1 loses one; the rest is right."""
    base, other = LABELS.copy(), LABELS.copy()
    base[LABELS == 5] = [5, 5, 4, 4]
    other[LABELS == 1] = [1, 1, 1, 0]
    eye = np.eye(10, dtype=np.float32)
    files = [
        dump(tmp_path / "base.pkl", eye[base], LABELS),
        dump(tmp_path / "gap.pkl", eye[other], LABELS),
    ]
    out = tmp_path / "out"
    options = ["--labels", "nwucla", "--names", "plain", "GAP", "--out", str(out)]
    assert compare_classes.main([*files, *options]) == 0
    text = capsys.readouterr().out
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if "|" in line]
    # The largest gain first, all samples last.
    assert [row[0] for row in rows[2:]] == [
        *("stand up", "pick up with two hands", "all samples")
    ]
    assert rows[2][1:5] == ["4", "50.0", "100.0", "+50.0"]
    assert rows[4][1:5] == ["40", "95.0", "97.5", "+2.5"]
    assert rows[2][6:] == ["0", "2", "0.5", "1"]
    with open(out / "classes.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines[5]["class"] == "stand up" and lines[10]["class"] == "all"
    assert (out / "classes.png").read_bytes()[:4] == b"\x89PNG"


def test_confusion_matrix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three of four samples of class 5 are taken for class 4; 15 have none."""
    predictions = LABELS.copy()
    predictions[20:23] = 4
    path = dump(tmp_path / "a.pkl", np.eye(25, dtype=np.float32)[predictions], LABELS)
    out = tmp_path / "new" / "matrix.png"
    assert confusion_matrix.main([path, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "37 of 40 samples right, 92.50 %" in text
    assert "| 5 | 4 | 3 | 75.0 |\n" in text
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_confusion_and_texts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one run a clip with one hand is taken for two hands, in the other none."""
    eye, predictions = np.eye(10, dtype=np.float32), LABELS.copy()
    predictions[:1] = 1
    files = [
        dump(tmp_path / "a.pkl", eye[predictions], LABELS),
        dump(tmp_path / "b.pkl", eye[LABELS], LABELS),
    ]
    out = ["--out", str(tmp_path / "matrix.png")]
    texts = ["--texts", "configs/gap/ctrgcn_nwucla_cpu.py"]
    assert confusion_matrix.main([*files, *texts, *out]) == 0
    text = capsys.readouterr().out
    assert "79 of 80 samples right" in text
    assert "| 0 | 1 | 1 | 12.5 | 97 |" in text and "mean of the errors: 97" in text
    assert confusion_matrix.main([files[1], *texts, *out]) == 0
    assert "mean of the errors" not in capsys.readouterr().out
    texts[1] = "configs/gap/ctrgcn_utd_mhad_cpu.py"
    assert confusion_matrix.main([*files, *texts, *out]) == 1
    assert "mhad_cpu.py: texts of 27 classes, the" in capsys.readouterr().err
    files.append(dump(tmp_path / "c.pkl", np.eye(12, dtype=np.float32), np.arange(12)))
    assert confusion_matrix.main([*files, *out]) == 1
    assert "of 12 classes, the first file of 10" in capsys.readouterr().err


@pytest.fixture
def logs(tmp_path: Path) -> list[str]:
    """A whole run, and one that stopped after half of it."""
    gap = [{**record, "loss_con": 1.0} for record in epochs(1, 4, loss=2.0)]
    write_run(tmp_path / "gap", gap)
    write_run(tmp_path / "plain", epochs(1, 2, loss=1.0))
    return [str(tmp_path / "gap"), str(tmp_path / "plain")]


def test_runs(
    logs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "curves.png"
    assert plot_logs.main([*logs, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "| gap | 2.0000 | 40.00 | 4 |" in printed
    assert "| plain (unfinished, epoch 2 of 4) | 1.0000 | 20.00 | 2 |" in printed
    assert out.read_bytes()[:4] == b"\x89PNG"
    options = ["--out", str(out), "--names", "A", "B"]
    assert plot_logs.main([*logs, *options, "--keys", "loss_con", "top1_acc"]) == 0
    printed = capsys.readouterr().out
    assert "| A | 1.0000 | 50.00 | 4 |" in printed
    assert "| B (unfinished, epoch 2 of 4) |  | 50.00 | 2 |" in printed


def test_bad_input(
    logs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "c.png"
    by_iteration = [{"loss": 1.0, "iter": 5, "step": 5}]
    write_run(tmp_path / "iterations", by_iteration)
    write_run(tmp_path / "odd", [{**by_iteration[0], "epoch": 1, "loss": "low"}])
    for paths, message in (
        ([*logs, str(tmp_path / "iterations")], "iterations: logged by iteration"),
        ([str(tmp_path / "odd")], "no run has logged loss, loss_cls, acc/top1"),
    ):
        assert plot_logs.main([*paths, "--out", str(out)]) == 1
        assert message in capsys.readouterr().err
        assert not out.exists()
