"""The backbone is one graph, of few shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch._dynamo.utils import counters

from gap_mmaction.engine import launch
from tests.engine.tiny_run import tiny_config


def weights_after(config: Config) -> dict[str, Any]:
    runner = launch.build_runner(config)
    runner.train()
    return runner.model.state_dict()


def test_training_with_a_short_last_batch(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, epochs=2)
    expected = weights_after(config)
    torch._dynamo.reset()
    counters.clear()
    hook = dict(type="CompileBackboneHook", backend="eager")
    config.default_hooks["compile"] = hook
    config.experiment_name += "_compiled"
    found = weights_after(config)
    # Those of the first batch, of any number of clips, and without gradients.
    assert 0 < counters["stats"]["unique_graphs"] <= 3, counters
    assert not counters["graph_break"]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
