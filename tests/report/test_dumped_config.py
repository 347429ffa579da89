"""parse_dumped_config: what mmengine writes, and nothing that is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.report.config_summary import summarize_config
from gap_mmaction.report.dumped_config import lookup, parse_dumped_config
from tests.config_files import LEAVES, load

LEAF = next(path for path in LEAVES if path.stem == "ctrgcn_nwucla_cpu")


def test_a_config_as_mmengine_dumps_it() -> None:
    config = load(LEAF)
    parsed = parse_dumped_config(config.pretty_text, "a.py")
    for path in (
        "model.backbone.type",
        "model.text_branch.prompts.preset",
        "optim_wrapper.optimizer.lr",
        "train_dataloader.batch_size",
        "custom_imports.imports",
    ):
        value = config
        for key in path.split("."):
            value = value[key]
        assert lookup(parsed, path) == value
    rows = dict(summarize_config(parsed))
    assert rows["Backbone"].startswith("CTRGCN")
    assert "synonym+parts4" in rows["Texts"]
    assert "features" in rows["Text encoder"]
    assert rows["Test data"].startswith("data/nwucla.pkl, xview_val")
    plain = parse_dumped_config("model = dict(text_branch=None)", "a.py")
    assert dict(summarize_config(plain))["Texts"].startswith("none")
    assert summarize_config({}) == []


def test_nothing_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    text = f"a = open({str(marker)!r}, 'w')\nb = dict(c=__import__('os').getcwd())\n"
    parsed = parse_dumped_config(
        f"{text}d = -1\ne = {{'f': (1, 2)}}\nimport os", "a.py"
    )
    assert not marker.exists()
    assert parsed["b"]["c"] == "__import__('os').getcwd()"
    assert parsed["d"] == -1 and parsed["e"] == {"f": [1, 2]}


@pytest.mark.parametrize("text", ["a = (", "a = '\0'"])
def test_no_python(text: str) -> None:
    with pytest.raises(ValueError, match=r"a\.py: not a config"):
        parse_dumped_config(text, "a.py")


def test_lookup() -> None:
    assert lookup({"a": {"b": 0}}, "a.b") == 0
    assert lookup({"a": {"b": 0}}, "a.b.c") is None
