"""tools/analysis/confusion_matrix.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.score_files import dump
from tools.analysis.confusion_matrix import main

LABELS = np.repeat(np.arange(10), 4)


@pytest.mark.parametrize("num_classes", [10, 25])
def test_matrix(
    num_classes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three of four "stand up" are taken for "sit down"; 25 classes: empty rows."""
    predictions = LABELS.copy()
    predictions[20:23] = 4
    scores = np.eye(num_classes, dtype=np.float32)[predictions]
    path = dump(tmp_path / "a.pkl", scores, LABELS)
    out = tmp_path / "new" / "matrix.png"
    labels = ["--labels", "nwucla"] if num_classes == 10 else ["--title", "Mine"]
    assert main([path, "--out", str(out), *labels]) == 0
    text = capsys.readouterr().out
    assert "37 of 40 samples right, 92.50 %" in text
    row = "| stand up | sit down | 3 | 75.0 |" if num_classes == 10 else "| 5 | 4 | 3 |"
    assert row in text
    assert text.count("\n| ") == 2
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = np.eye(10, dtype=np.float32)[LABELS]
    path = dump(tmp_path / "a.pkl", scores, LABELS)
    out = str(tmp_path / "matrix.png")
    for arguments, message in (
        ([path, "--labels", "ntu120"], "describes 120 classes"),
        ([path, "--labels", "none"], "none"),
        ([str(tmp_path / "none.pkl")], "there is no such file"),
    ):
        assert main([*arguments, "--out", out]) == 1
        assert message in capsys.readouterr().err
    for options in (["--out", "matrix.txt"], ["--out", out, "--top", "-1"]):
        with pytest.raises(SystemExit):
            main([path, *options])
