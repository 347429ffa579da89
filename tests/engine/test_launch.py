"""Settings that a class does not take are named by their place."""

from __future__ import annotations

import pytest
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config

from gap_mmaction.engine.launch import named_settings
from tests.config_files import LEAVES, load

LEAF = next(path for path in LEAVES if path.stem == "ctrgcn_nwucla_cpu")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("model.text_branch.prompts.descriptons", r" \(did.*'descriptions'"),
        ("model.txt_branch", r" \(did.*'text_branch'"),
        ("train_dataloader.dataset.ann_file", "; RepeatDataset takes"),
    ],
)
def test_of_classes(key: str, message: str) -> None:
    config = load(LEAF)
    config.merge_from_dict({key: 1})
    message = rf"{key}: unknown setting{message}"
    with pytest.raises(TypeError, match=message), named_settings(config):
        if key.startswith("model"):
            MODELS.build(config.model)
        DATASETS.build(config.train_dataloader.dataset)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (
            {"a": [{"b": 1}, {"c": {"b": 2}}], "d": {"type": "X", "b": 3}},
            "Unknown.__init__() got an unexpected keyword argument 'b'",
            r"^a\.0\.b or a\.1\.c\.b: unknown setting; Unknown does not take it",
        ),
        ({"a": 1}, "X.__init__() got an unexpected keyword argument 'b'", r"^X\.__in"),
        ({"a": 1}, "another", "^another"),
    ],
)
def test_places(config: dict, error: str, message: str) -> None:
    with pytest.raises(TypeError, match=message), named_settings(Config(config)):
        raise TypeError(error)
