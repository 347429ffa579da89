"""tools/analysis/plot_text_cost.py: its table, its picture, and its classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.benchmark.growth import make_classes
from gap_mmaction.models import PromptBank
from gap_mmaction.models.text.descriptions import write_descriptions
from tests.models.text_common import TINY_CLIP
from tools.analysis.plot_text_cost import SETTINGS, main


def test_table_and_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_clip = pytest.importorskip("open_clip")
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", TINY_CLIP)
    out = tmp_path / "cost.png"
    args = ["--model", "tiny", "--classes", "130", "5", "--samples", "4"]
    assert main([*args, "--repeats", "1", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == 2 * len(SETTINGS)
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[2] for row in cells[:2]] == ["5", "130"]
    # A batch has no more distinct texts than it has texts.
    assert all(float(row[3]) <= 4 * int(row[1]) for row in cells)
    assert all(bool(row[5]) == (row[2] == "130") for row in cells)


def test_no_two_classes_are_alike(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    classes = make_classes(1000, 10)
    assert len({fields["label"] for fields in classes}) == 1000
    assert all(len(fields["synonyms"]) == 10 for fields in classes)
    write_descriptions(tmp_path / "made.yaml", "made", classes)
    bank = PromptBank(str(tmp_path / "made.yaml"), seed=0)
    assert len(bank.texts) == 1000 * (10 + 4)
