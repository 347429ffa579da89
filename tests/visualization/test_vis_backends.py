"""TensorBoard gets what the local log gets, by a setting of the config."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gap_mmaction.engine import launch
from tests.config_files import ROOT, load, make_narrow, make_small


@pytest.mark.slow
def test_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "tensorboard.backend.event_processing.event_accumulator"
    reader = pytest.importorskip(name)
    monkeypatch.chdir(ROOT)
    config = load(ROOT / "configs" / "gap" / "ctrgcn_nwucla_cpu.py")
    make_small(config, tmp_path / "annotation.pkl")
    make_narrow(config)
    config.model.text_branch = None
    config.train_cfg.max_epochs = config.train_cfg.val_interval = 1
    config.default_hooks.logger.interval = 1
    config.work_dir = str(tmp_path / "run")
    config.experiment_name = "tensorboard"
    # As docs/visualization.md has it.
    kinds = ("LocalVisBackend", "TensorboardVisBackend")
    config.vis_backends = [dict(type=kind) for kind in kinds]
    config.visualizer.vis_backends = config.vis_backends
    launch.build_runner(config).train()

    (log,) = tmp_path.glob("run/*/vis_data/scalars.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (events,) = tmp_path.glob("run/*/vis_data/events.out.tfevents.*")
    found = reader.EventAccumulator(str(events.parent))
    found.Reload()
    for key in ("loss", "loss_cls", "acc/top1"):
        wanted = [(line["step"], line[key]) for line in lines if key in line]
        assert wanted
        values = [(event.step, event.value) for event in found.Scalars(key)]
        np.testing.assert_allclose(values, wanted, rtol=1e-6)
