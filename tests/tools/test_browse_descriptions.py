"""The browser of descriptions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gap_mmaction.models.text.feature_file import save_features
from gap_mmaction.models.text.prompt_bank import PromptBank
from tests.models.text_common import write_descriptions
from tools.browse_descriptions import main

pytest.importorskip("open_clip")


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_descriptions(tmp_path)


@pytest.fixture
def features(file: str, tmp_path: Path) -> str:
    """Two classes with equal features, the third unlike them."""
    bank = PromptBank(file)
    rows = [[1.0, 0.0] if "throw" in text else [0.0, 1.0] for text in bank.texts]
    path = tmp_path / "features.safetensors"
    save_features(path, bank.texts, torch.tensor(rows), "by hand")
    return str(path)


def test_class(file: str, features: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([file, "stand", "--features", features, "--nearest", "1"]) == 0
    out = capsys.readouterr().out
    assert "1  stand up" in out
    # "the head does stand up", with start and end.
    assert "head       7  the head does stand up" in out
    assert "1.000  sit down" in out and "throw" not in out


def test_pairs_and_matrix(
    file: str, features: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "matrix.png"
    options = ["--pairs", "1", "--matrix", str(out), "--slot", "hip"]
    assert main([file, "--features", features, *options]) == 0
    assert "1.000  sit down / stand up" in capsys.readouterr().out
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_file_that_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nwucla", "5"]) == 0
    out = capsys.readouterr().out
    assert "5  stand up" in out and "sit down" in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["FILE", "fly"], "0 classes fit 'fly'; name one of ['sit down'"),
        (["FILE", "s"], "2 classes fit 's'; name one of ['sit down', 'stand up']"),
        (["nothing", "fly"], "no description file 'data/descriptions/nothing.yaml'"),
        (["FILE", "throw", "--preset", "x"], "preset 'x' is unknown"),
        (["FILE", "throw", "--slot", "x"], "--slot 'x' is not in synonym+parts4"),
    ],
)
def test_errors(
    arguments: list[str],
    message: str,
    file: str,
    features: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [file if item == "FILE" else item for item in arguments]
    assert main([*arguments, "--features", features]) == 1
    assert message in capsys.readouterr().err


def test_nothing_asked_for(file: str) -> None:
    with pytest.raises(SystemExit):
        main([file])
