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
        (["FILE", "fly"], "0 classes fit 'fly'; give a label or an index from 0 to 2"),
        (["FILE", "stad up"], "0 classes fit 'stad up'; give a label, such as ['stand"),
        (["FILE", "3"], "0 classes fit '3'; give a label or an index from 0 to 2"),
        (["FILE", "s"], "2 classes fit 's'; give a label, such as ['sit down', 'stand"),
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


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--pairs", "-1"],
        ["0", "--nearest", "-2"],
        ["--matrix", "matrix.pgn"],
        ["0", "--encoder-options", "model=x"],
        ["0", "--encoder", "HFTextEncoder", "--features", "x.safetensors"],
    ],
)
def test_usage(file: str, options: list[str]) -> None:
    with pytest.raises(SystemExit):
        main([file, *options])


def test_letters_case(
    file: str, features: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([file, "STAND up", "--features", features]) == 0
    assert "1  stand up" in capsys.readouterr().out


def test_features_of_the_base(capsys: pytest.CaptureFixture[str]) -> None:
    # ntu60 is a part of ntu120 and has no feature file of its own.
    assert main(["ntu60", "drop", "--nearest", "1"]) == 0
    assert "nearest classes" in capsys.readouterr().out


def test_own_descriptions_without_features(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([file, "throw"]) == 1
    captured = capsys.readouterr()
    assert "2  throw" in captured.out
    assert "no feature file that ships has these texts" in captured.err
    assert "--encoder" in captured.err and "--features" in captured.err


def test_unknown_encoder(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([file, "throw", "--encoder", "HFEncoder"]) == 1
    assert "no text encoder 'HFEncoder'" in capsys.readouterr().err
