"""The option that replaces settings of a config."""

from __future__ import annotations

import argparse

from gap_mmaction.utils.config_options import add_cfg_options


def test_values_are_read_as_mmengine_does() -> None:
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    assert parser.parse_args([]).cfg_options is None
    words = ["model.width=32", "model.text_branch=None", "a.b=[1,2]", "c=text"]
    options = parser.parse_args(["--cfg-options", *words]).cfg_options
    assert options == {
        "model.width": 32,
        "model.text_branch": None,
        "a.b": [1, 2],
        "c": "text",
    }
