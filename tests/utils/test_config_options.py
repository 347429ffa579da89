"""Configs: options that replace settings, keys, and the data sets in them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from gap_mmaction.skeletons.layouts import find_test_pipeline
from gap_mmaction.utils.command_line import add_cfg_options, read_config
from gap_mmaction.utils.config_keys import check_keys, did_you_mean
from gap_mmaction.utils.loader_data import annotated_data, innermost_data

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
        **{"model.width": 32, "model.text_branch": None, "a.b": [1, 2], "c": "text"},
        **{"d": "/x/John Smith/a.pkl", "e": "a b", "f": [("a  b", 2), "c d"]},
    }
    for wrong in (["a.b", "=", "4"], ["a.b=", "=4"]):
        with pytest.raises(SystemExit):
            parser.parse_args(["--cfg-options", *wrong])


def test_misspelt_name() -> None:
    with pytest.raises(FileNotFoundError, match=r"did you mean 'ctrgcn_synthetic\.py'"):
        read_config(CONFIG.with_name("ctrgcn_sythetic.py"))
    with pytest.raises(ValueError, match=r"trian_cfg.*did you mean 'train_cfg'"):
        read_config(CONFIG, {"trian_cfg.max_epochs": 3})
    # Arguments of the Runner that the config leaves out, and names of one's own.
    options = {"train_cfg.max_epochs": 3, "resume": True, "wholly_new": 1}
    config = read_config(CONFIG, options)
    assert config.train_cfg.max_epochs == 3 and config.wholly_new == 1


class _Part:
    def __init__(self, width: int, depth: int = 2) -> None:
        pass


class _Open:
    def __init__(self, **kwargs: Any) -> None:
        pass


def test_keys() -> None:
    check_keys(_Part, dict(type="Part", width=1), "model.part")
    check_keys(_Open, dict(anything=1), "model.part")
    message = r"model\.part: unknown key 'dept' \(did you mean 'depth'\?\)"
    with pytest.raises(TypeError, match=message):
        check_keys(_Part, dict(width=1, dept=3), "model.part")
    with pytest.raises(TypeError, match=r"model\.part: _Part needs \['width'\]"):
        check_keys(_Part, dict(depth=3), "model.part")
    assert did_you_mean("xyz", ["width"]) == ""


STEPS = [{"type": "PoseDecode"}]
DATA = {"type": "PoseDataset", "ann_file": "a.pkl", "pipeline": STEPS}


def wrap(data: Any, *times: int) -> dict[str, Any]:
    for count in times:
        data = {"type": "RepeatDataset", "times": count, "dataset": data}
    return {"batch_size": 2, "dataset": data}


@pytest.mark.parametrize("times", [(), (5,), (2, 3)])
def test_wrapped_data(times: tuple[int, ...]) -> None:
    loader = Config({"loader": wrap(DATA, *times)}).loader
    found = innermost_data(loader)
    assert found.settings == DATA
    assert found.times == {(): 1, (5,): 5, (2, 3): 6}[times]
    for key in found.keys:
        loader = loader[key]
    assert loader == DATA
    for none in (None, {}, "a loader", {"dataset": "cifar"}):
        assert innermost_data(none) == ({}, (), 1)
    config = {"a": wrap(DATA, *times), "b": wrap({"type": "X"})}
    assert annotated_data(config, "a") == found
    for name in ("b", "c"):
        with pytest.raises(ValueError, match=rf"{name}\.dataset\.ann_file.*--ann-file"):
            annotated_data(config, name)


def test_find_test_pipeline() -> None:
    own = [{"type": "PoseCompact"}]
    config: dict[str, Any] = {"test_pipeline": own}
    assert find_test_pipeline(config) == own
    config["test_dataloader"] = wrap(DATA, 2)
    assert find_test_pipeline(config) == STEPS
    assert find_test_pipeline({}) is None
