"""tools/analysis/compare_classes.py and confusion_matrix.py."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.score_files import dump
from tools.analysis import compare_classes, confusion_matrix

LABELS = np.repeat(np.arange(10), 4)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Class 5 gains two of four samples, class 1 loses one; the rest is right."""
    base, other = LABELS.copy(), LABELS.copy()
    base[LABELS == 5] = [5, 5, 4, 4]
    other[LABELS == 1] = [1, 1, 1, 0]
    eye = np.eye(10, dtype=np.float32)
    return [
        dump(tmp_path / "base.pkl", eye[base], LABELS),
        dump(tmp_path / "gap.pkl", eye[other], LABELS),
    ]


def test_comparison(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert "2 of 10 classes differ by more than 4 points" in text
    with open(out / "classes.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines[5]["class"] == "stand up" and lines[10]["class"] == "all"
    assert float(lines[5]["low"]) <= 50 <= float(lines[5]["high"])
    assert (out / "classes.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("num_classes", [10, 25])
def test_confusion_matrix(
    num_classes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three of four "stand up" are taken for "sit down"; 25 classes: empty rows."""
    predictions = LABELS.copy()
    predictions[20:23] = 4
    scores = np.eye(num_classes, dtype=np.float32)[predictions]
    path = dump(tmp_path / "a.pkl", scores, LABELS)
    out = tmp_path / "new" / "matrix.png"
    labels = ["--labels", "nwucla"] if num_classes == 10 else ["--title", "Mine"]
    assert confusion_matrix.main([path, "--out", str(out), *labels]) == 0
    text = capsys.readouterr().out
    assert "37 of 40 samples right, 92.50 %" in text
    row = "| stand up | sit down | 3 | 75.0 |" if num_classes == 10 else "| 5 | 4 | 3 |"
    assert row in text
    assert out.read_bytes()[:4] == b"\x89PNG"
