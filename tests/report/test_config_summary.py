"""A config in a few lines."""

from __future__ import annotations

from gap_mmaction.report.config_summary import summarize_config
from gap_mmaction.utils.config_text import parse_config_text
from tests.config_files import LEAVES, load

LEAF = next(path for path in LEAVES if path.stem == "ctrgcn_nwucla_cpu")


def test_a_config_as_mmengine_dumps_it() -> None:
    rows = dict(summarize_config(parse_config_text(load(LEAF).pretty_text, "a.py")))
    assert rows["Backbone"].startswith("CTRGCN")
    assert "synonym+parts4" in rows["Texts"]
    assert "features" in rows["Text encoder"]
    assert rows["Test data"].startswith("data/nwucla.pkl, xview_val")


def test_without_texts() -> None:
    plain = parse_config_text("model = dict(text_branch=None)", "a.py")
    assert dict(summarize_config(plain))["Texts"].startswith("none")
    assert summarize_config({}) == []
