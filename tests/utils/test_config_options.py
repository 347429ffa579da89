"""The option that replaces settings of a config."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from gap_mmaction.utils.config_options import add_cfg_options, read_config

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "gap" / "ctrgcn_synthetic.py"


def test_values_are_read_as_mmengine_does() -> None:
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    assert parser.parse_args([]).cfg_options is None
    words = ["model.width=32", "model.text_branch=None", "a.b=[1, 2]", "c=text"]
    words += ["d=/x/John Smith/a.pkl", "e='a b'", "f=[( a  b, 2 ), c d]"]
    options = parser.parse_args(["--cfg-options", *words]).cfg_options
    assert options == {
        "model.width": 32,
        "model.text_branch": None,
        "a.b": [1, 2],
        "c": "text",
        "d": "/x/John Smith/a.pkl",
        "e": "a b",
        "f": [("a  b", 2), "c d"],
    }


@pytest.mark.parametrize("words", [["a.b", "=", "4"], ["a.b=", "=4"], ["a.b=1", "c"]])
def test_blanks(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--cfg-options", *words])
    assert "is not KEY=VALUE" in capsys.readouterr().err


def test_config_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match=r"did you mean 'ctrgcn_synthetic\.py'"):
        read_config(CONFIG.with_name("ctrgcn_sythetic.py"))
    with pytest.raises(FileNotFoundError, match=r"nowhere/a\.py is not there$"):
        read_config("nowhere/a.py")


def test_misspelt_name() -> None:
    with pytest.raises(ValueError, match=r"trian_cfg.*did you mean 'train_cfg'"):
        read_config(CONFIG, {"trian_cfg.max_epochs": 3})
    # Arguments of the Runner that the config leaves out, and names of one's own.
    options = {"train_cfg.max_epochs": 3, "resume": True, "wholly_new": 1}
    config = read_config(CONFIG, options)
    assert config.train_cfg.max_epochs == 3 and config.wholly_new == 1
