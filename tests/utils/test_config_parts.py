"""Config texts are parsed, not executed."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from gap_mmaction.utils.config_parts import lookup, parse_config_text

ROOT = Path(__file__).resolve().parents[2]


def test_as_mmengine_dumps_it() -> None:
    cfg = Config.fromfile(ROOT / "configs" / "gap" / "ctrgcn_nwucla_cpu.py")
    settings = parse_config_text(cfg.pretty_text, "a.py")
    assert settings == cfg.to_dict()
    assert lookup(settings, "test_dataloader.dataset.split") == "xview_val"
    assert lookup(settings, "train_cfg.max_epochs.x") is None


def test_keys_that_are_no_names() -> None:
    # MMEngine writes dict({'hand-arm': [2, 3]}, name='suit') for such.
    config = {"name": "suit", "parts": {"a-b": (1, -2.5), "hip": [0]}, "c": {0: "a"}}
    text = Config({"layout": config}).pretty_text
    assert "dict({" in text and parse_config_text(text, "a") == {"layout": config}


def test_nothing_is_executed(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    touch = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    text = (
        f"a = open({str(marker)!r}, 'w')\nb = dict(c=[{touch}])\n"
        "d = dict(**{'x': 1})\n"
        f"e = (1, {{'k': [True]}})\nf = {{**e}}\ng = {{{touch}: 1}}\nh = dict([(1, 2)])"
    )
    settings = parse_config_text(text, "a.py")
    assert not marker.exists()
    assert settings["e"] == (1, {"k": [True]})
    assert settings["b"] == {"c": [touch]}
    # What only running it would tell is given as it stands.
    for name in "adfgh":
        assert isinstance(settings[name], str)
    assert set(settings) == set("abdefgh")


@pytest.mark.parametrize("text", ["a = = 1", "a = '\0'", "(" * 1000])
def test_no_python(text: str) -> None:
    with pytest.raises(ValueError, match=r"a\.py: not a config"):
        parse_config_text(text, "a.py")
