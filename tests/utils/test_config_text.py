"""Config texts are parsed, not executed."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from gap_mmaction.utils.config_text import parse_config_text


def test_dumped_config_reads_as_it_is() -> None:
    cfg = Config.fromfile("configs/gap/ctrgcn_nwucla_cpu.py")
    settings = parse_config_text(cfg.pretty_text)
    assert settings["model"] == cfg.model.to_dict()
    assert settings["test_dataloader"]["dataset"]["split"] == "xview_val"
    assert set(settings) == set(cfg.to_dict())


def test_nothing_is_executed(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    text = (
        f"a = open({str(marker)!r}, 'w')\n"
        f"b = dict(c=[__import__('pathlib').Path({str(marker)!r}).touch()])\n"
        "d = dict(**{'x': 1})\n"
        "e = (1, -2.5, {'k': [True, None]})\n"
    )
    assert parse_config_text(text) == {"e": (1, -2.5, {"k": [True, None]})}
    assert not marker.exists()


@pytest.mark.parametrize("text", ["a = = 1", "\0", "(" * 1000, ""])
def test_no_python(text: str) -> None:
    assert parse_config_text(text) == {}
