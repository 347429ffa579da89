"""tools/analysis/compare_classes.py: table, csv and chart."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.score_files import dump
from tools.analysis.compare_classes import main

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


def test_table_csv_and_chart(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--labels", "nwucla", "--names", "plain", "GAP", "--out", str(out)]
    assert main([*files, *options]) == 0
    text = capsys.readouterr().out
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if "|" in line]
    assert rows[0][2:4] == ["plain", "GAP"]
    # The largest gain first, all samples last.
    assert [row[0] for row in rows[2:]] == [
        *("stand up", "pick up with two hands", "all samples")
    ]
    assert rows[2][1:5] == ["4", "50.0", "100.0", "+50.0"]
    assert rows[3][4] == "-25.0"
    assert rows[4][1:5] == ["40", "95.0", "97.5", "+2.5"]
    assert rows[2][6:] == ["0", "2", "0.5", "1"]
    assert "2 of 10 classes differ by more than 4 points" in text

    with open(out / "classes.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["class"] for line in lines[5:6]] == ["stand up"]
    assert [line["samples"] for line in lines] == ["4"] * 10 + ["40"]
    assert float(lines[5]["low"]) <= 50 <= float(lines[5]["high"])
    assert (lines[10]["index"], lines[10]["class"]) == ("", "all")
    assert (out / "classes.png").read_bytes()[:4] == b"\x89PNG"


def test_threshold(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*files, "--threshold", "25"]) == 0
    out = capsys.readouterr().out
    assert "1 of 10 classes differ by more than 25 points" in out
    assert "\n| 5 |" in out  # without --labels, by index
    assert main([files[0], files[0], "--threshold", "0", "--out", str(tmp_path)]) == 0
    assert "no chart" in capsys.readouterr().out
    assert not (tmp_path / "classes.png").exists()


def test_class_without_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = np.eye(4, dtype=np.float32)[[0, 1, 2]]
    path = dump(tmp_path / "a.pkl", scores, np.array([0, 1, 2]))
    assert main([path, path, "--out", str(tmp_path)]) == 0
    assert "1 without samples" in capsys.readouterr().out
    last_class = (tmp_path / "classes.csv").read_text().splitlines()[4]
    assert last_class == "3,3,0,,,,,,0,0,1,1"


def test_bad_input(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = np.eye(10, dtype=np.float32)[LABELS[:8]]
    shorter = dump(tmp_path / "shorter.pkl", scores, LABELS[:8])
    for arguments, message in (
        ([files[0], shorter], "8 samples and 40"),
        ([*files, "--labels", "ntu60"], "describes 60 classes"),
        ([files[0], "none.pkl"], "none.pkl: there is no such file"),
    ):
        assert main(arguments) == 1
        assert message in capsys.readouterr().err
    for options in (["--threshold", "-1"], ["--resamples", "0"]):
        with pytest.raises(SystemExit):
            main([*files, *options])
