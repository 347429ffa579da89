"""The examples run as they stand."""

from __future__ import annotations

import json
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


def test_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    """Its cells run, and print what the notebook shows, up to the last digit."""
    text = Path(gap_on_your_model.ROOT, "examples/label_a_clip.ipynb").read_text()
    cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    code = "".join("".join(cell["source"]) + "\n" for cell in cells)
    exec(code.replace("%matplotlib inline", ""), {})
    shown = [
        o["text"] for c in cells for o in c["outputs"] if o.get("name") == "stdout"
    ]
    words, printed = (
        "".join("".join(text) for text in shown).split(),
        capsys.readouterr(),
    )
    assert len(words) > 40
    for new, old in zip(printed.out.split(), words, strict=True):
        if re.fullmatch(r"[\d.]+", old):
            assert float(new) == pytest.approx(float(old), abs=0.02)
        else:
            assert new == old
