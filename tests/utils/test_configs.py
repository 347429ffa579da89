"""Configs and command lines: texts that are parsed, keys, data sets, options."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from yapf.yapflib import yapf_api

from gap_mmaction.skeletons.layouts import find_test_pipeline
from gap_mmaction.utils import command_line, config_parts
from gap_mmaction.utils.command_line import add_cfg_options, read_config, tells_errors

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of a config is laid out, as outside of tests."""
    monkeypatch.setattr("mmengine.config.config.FormatCode", yapf_api.FormatCode)


@pytest.mark.usefixtures("layout")
def test_as_mmengine_dumps_it() -> None:
    cfg = Config.fromfile(ROOT / "configs" / "gap" / "ctrgcn_nwucla_cpu.py")
    settings = config_parts.parse_config_text(cfg.pretty_text, "a.py")
    assert settings == cfg.to_dict()
    assert config_parts.lookup(settings, "test_dataloader.dataset.split") == "xview_val"
    assert config_parts.lookup(settings, "train_cfg.max_epochs.x") is None


@pytest.mark.usefixtures("layout")
def test_keys_that_are_no_names() -> None:
    # MMEngine writes dict({'hand-arm': [2, 3]}, name='suit') for such.
    config = {"name": "suit", "parts": {"a-b": (1, -2.5), "hip": [0]}, "c": {0: "a"}}
    text = Config({"layout": config}).pretty_text
    assert "dict({" in text and config_parts.parse_config_text(text, "a") == {
        "layout": config
    }


def test_nothing_is_executed(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    touch = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    text = (
        f"a = open({str(marker)!r}, 'w')\nb = dict(c=[{touch}])\n"
        "d = dict(**{'x': 1})\n"
        f"e = (1, {{'k': [True]}})\nf = {{**e}}\ng = {{{touch}: 1}}\nh = dict([(1, 2)])"
    )
    settings = config_parts.parse_config_text(text, "a.py")
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
        config_parts.parse_config_text(text, "a.py")


CONFIG = Path(__file__).parents[2] / "configs" / "gap" / "ctrgcn_synthetic.py"


@pytest.mark.parametrize(
    ("kind", "text", "value", "bad"),
    [
        ("natural", "0", 0, ["-1", "1.5"]),
        ("count", "1", 1, ["0"]),
        ("not_negative", "0", 0.0, ["-0.1", "nan", "inf"]),
        ("positive", "1e-3", 0.001, ["0", "x"]),
        ("cosine", "-1", -1.0, ["1.1", "nan", "x"]),
    ],
)
def test_numbers(kind: str, text: str, value: float, bad: list[str]) -> None:
    read = getattr(command_line, kind)
    assert read(text) == value and type(read(text)) is type(value)
    for wrong in bad:
        with pytest.raises(argparse.ArgumentTypeError):
            read(wrong)


def test_errors_are_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    @tells_errors
    def main(error: Exception) -> int:
        raise error

    assert main(KeyError("no 'x'")) == main(OSError("no file")) == 1
    assert capsys.readouterr().err == "error: no 'x'\nerror: no file\n"
    with pytest.raises(ZeroDivisionError):
        main(ZeroDivisionError())


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


def test_keys() -> None:
    def part(width: int, depth: int = 2) -> None: ...
    def takes_any(**kwargs: Any) -> None: ...

    config_parts.check_keys(part, dict(type="Part", width=1), "model.part")
    config_parts.check_keys(takes_any, dict(anything=1), "model.part")
    message = r"model\.part: unknown key 'dept' \(did you mean 'depth'\?\)"
    with pytest.raises(TypeError, match=message):
        config_parts.check_keys(part, dict(width=1, dept=3), "model.part")
    with pytest.raises(TypeError, match=r"model\.part: part needs \['width'\]"):
        config_parts.check_keys(part, dict(depth=3), "model.part")
    assert config_parts.did_you_mean("xyz", ["width"]) == ""


STEPS = [{"type": "PoseDecode"}]
DATA = {"type": "PoseDataset", "ann_file": "a.pkl", "pipeline": STEPS}


def wrap(data: Any, *times: int) -> dict[str, Any]:
    for count in times:
        data = {"type": "RepeatDataset", "times": count, "dataset": data}
    return {"batch_size": 2, "dataset": data}


def test_wrapped_data() -> None:
    for times, product in (((), 1), ((5,), 5), ((2, 3), 6)):
        loader = Config({"loader": wrap(DATA, *times)}).loader
        found = config_parts.innermost_data(loader)
        assert found.settings == DATA and found.times == product
        assert config_parts.annotated_data({"a": loader}, "a") == found
        for key in found.keys:
            loader = loader[key]
        assert loader == DATA
    for none in (None, {}, "a loader", {"dataset": "cifar"}):
        assert config_parts.innermost_data(none) == ({}, (), 1)
    for name in ("b", "c"):
        with pytest.raises(ValueError, match=rf"{name}\.dataset\.ann_file.*--ann-file"):
            config_parts.annotated_data({"b": wrap({"type": "X"})}, name)


def test_find_test_pipeline() -> None:
    config: dict[str, Any] = {"test_pipeline": [{"type": "PoseCompact"}]}
    assert find_test_pipeline(config) == config["test_pipeline"]
    config["test_dataloader"] = wrap(DATA, 2)
    assert find_test_pipeline(config) == STEPS
    assert find_test_pipeline({}) is None
