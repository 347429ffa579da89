from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import pytest

from gap_mmaction.utils.encoder_arguments import add_encoder_arguments, without_place


def test_arguments() -> None:
    parser = ArgumentParser()
    add_encoder_arguments(parser, "the encoder")
    line = ["--encoder", "HFTextEncoder", "--encoder-options", "model=m", "length=7"]
    args = parser.parse_args(line)
    assert args.encoder == "HFTextEncoder"
    assert args.encoder_options == {"model": "m", "length": 7}
    assert parser.parse_args([]).encoder is None


def test_required(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    add_encoder_arguments(parser, "the encoder", required=True)
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert "--encoder" in capsys.readouterr().err


def test_without_place(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    options = {"type": "HFTextEncoder", "model": str(folder), "pooling": "mean"}
    assert without_place(options) == {**options, "model": "models/tiny"}
    assert without_place({"type": "Own"}) == {"type": "Own"}
