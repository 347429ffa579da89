"""Settings that a class does not take are named by their place."""

from __future__ import annotations

import pytest
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config

from gap_mmaction.engine.launch import named_settings
from tests.config_files import LEAVES, load

LEAF = next(path for path in LEAVES if path.stem == "ctrgcn_nwucla_cpu")


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("model.text_branch.prompts.descriptons", "descriptions"),
        ("model.txt_branch", "text_branch"),
    ],
)
def test_models(key: str, near: str) -> None:
    config = load(LEAF)
    config.merge_from_dict({key: 1})
    message = rf"{key}: unknown setting \(did.*'{near}'"
    with pytest.raises(TypeError, match=message), named_settings(config):
        MODELS.build(config.model)


def test_data_sets() -> None:
    config = load(LEAF)
    config.train_dataloader.dataset.ann_file = "a.pkl"
    message = r"train_dataloader\.dataset\.ann_file: unknown setting; RepeatDataset"
    with pytest.raises(TypeError, match=message), named_settings(config):
        DATASETS.build(config.train_dataloader.dataset)


def test_places() -> None:
    error = TypeError("Unknown.__init__() got an unexpected keyword argument 'b'")
    config = Config({"a": [{"b": 1}, {"c": {"b": 2}}], "d": {"type": "X", "b": 3}})
    message = r"^a\.0\.b or a\.1\.c\.b: unknown setting; Unknown does not take it"
    with pytest.raises(TypeError, match=message), named_settings(config):
        raise error
    message = r"^Unknown\.__init__"
    with pytest.raises(TypeError, match=message), named_settings(Config({"a": 1})):
        raise error
    with pytest.raises(TypeError, match=r"^another"), named_settings(config):
        raise TypeError("another")
