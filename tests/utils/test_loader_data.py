from __future__ import annotations

from typing import Any

import pytest
from mmengine.config import Config

from gap_mmaction.skeletons.pipeline_layout import find_test_pipeline
from gap_mmaction.utils.loader_data import annotated_data, innermost_data

STEPS = [{"type": "PoseDecode"}]
DATA = {"type": "PoseDataset", "ann_file": "a.pkl", "pipeline": STEPS}


def wrap(data: Any, *times: int) -> dict[str, Any]:
    for count in times:
        data = {"type": "RepeatDataset", "times": count, "dataset": data}
    return {"batch_size": 2, "dataset": data}


@pytest.mark.parametrize("times", [(), (5,), (2, 3)])
def test_wrapped(times: tuple[int, ...]) -> None:
    loader = Config({"loader": wrap(DATA, *times)}).loader
    found = innermost_data(loader)
    assert found.settings == DATA
    assert found.times == {(): 1, (5,): 5, (2, 3): 6}[times]
    for key in found.keys:
        loader = loader[key]
    assert loader == DATA


@pytest.mark.parametrize("loader", [None, {}, "a loader", {"dataset": "cifar"}])
def test_nothing_there(loader: Any) -> None:
    assert innermost_data(loader) == ({}, (), 1)


def test_annotated() -> None:
    config = {"val_dataloader": wrap(DATA, 2), "test_dataloader": wrap({"type": "X"})}
    assert annotated_data(config, "val_dataloader") == (DATA, ("dataset",) * 2, 2)
    for loader in ("test_dataloader", "train_dataloader"):
        with pytest.raises(
            ValueError, match=rf"{loader}\.dataset\.ann_file.*--ann-file"
        ):
            annotated_data(config, loader)


def test_find_test_pipeline() -> None:
    own = [{"type": "PoseCompact"}]
    config: dict[str, Any] = {"test_pipeline": own}
    assert find_test_pipeline(config) == own
    config["test_dataloader"] = wrap(DATA, 2)
    assert find_test_pipeline(config) == STEPS
    assert find_test_pipeline({}) is None
