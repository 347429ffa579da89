"""The browser of descriptions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gap_mmaction.models.text.cached_encoder import save_features
from gap_mmaction.models.text.prompt_bank import PromptBank
from tests.models.text_common import write_descriptions
from tools.browse_descriptions import main

pytest.importorskip("open_clip")
Output = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_descriptions(tmp_path)


def test_output(file: str, tmp_path: Path, capsys: Output) -> None:
    # Two classes with equal features, the third unlike them.
    bank, png = PromptBank(file), tmp_path / "matrix.png"
    rows = [[1.0, 0.0] if "throw" in text else [0.0, 1.0] for text in bank.texts]
    features = str(tmp_path / "features.safetensors")
    save_features(features, bank.texts, torch.tensor(rows), "by hand")
    for label in ("stand", "STAND up", "1"):
        assert main([file, label, "--features", features, "--nearest", "1"]) == 0
        out = capsys.readouterr().out
        # "the head does stand up", with start and end.
        assert "1  stand up" in out and "head       7  the head does stand up" in out
        assert "1.000  sit down" in out and "throw" not in out
    options = ["--pairs", "1", "--matrix", str(png), "--slot", "hip"]
    assert main([file, "--features", features, *options]) == 0
    assert "1.000  sit down / stand up" in capsys.readouterr().out
    assert png.read_bytes()[:4] == b"\x89PNG"


def test_files_that_ship(capsys: Output) -> None:
    # ntu60 is a part of ntu120 and has no feature file of its own.
    for data, label in (("nwucla", "5  stand up"), ("ntu60", "15  put on a shoe")):
        assert main([data, label.split()[0]]) == 0
        assert label in (out := capsys.readouterr().out) and "nearest classes" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FILE", "stad up"], "0 classes fit 'stad up'; give a label, such as ['stand"),
        (["FILE", "s"], "2 classes fit 's'; give a label, such as ['sit down', 'stand"),
        (["nothing", "fly"], "no description file 'data/descriptions/nothing.yaml'"),
        (["FILE", "throw", "--slot", "x"], "--slot 'x' is not in synonym+parts4"),
        (["FILE", "throw"], "no feature file that ships has these texts"),
    ],
)
def test_errors(arguments: list[str], message: str, file: str, capsys: Output) -> None:
    assert main([file if item == "FILE" else item for item in arguments]) == 1
    assert message in capsys.readouterr().err
