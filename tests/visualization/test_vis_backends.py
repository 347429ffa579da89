"""TensorBoard gets what the local log gets, by a setting of the config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS

from gap_mmaction.engine import launch
from gap_mmaction.models.text.cached_encoder import save_features
from tests.config_files import ROOT, load, make_narrow, make_small

KEYS = ("loss", "loss_cls", "loss_con", "acc/top1")


@pytest.mark.slow
def test_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "tensorboard.backend.event_processing.event_accumulator"
    reader = pytest.importorskip(name)
    monkeypatch.chdir(ROOT)
    config = load(ROOT / "configs" / "gap" / "ctrgcn_nwucla_cpu.py")
    make_small(config, tmp_path / "annotation.pkl")
    make_narrow(config)
    bank = MODELS.build({"type": "PromptBank", **config.model.text_branch.prompts})
    features = torch.randn(
        (len(bank.texts), 16), generator=torch.Generator().manual_seed(0)
    )
    save_features(tmp_path / "texts.safetensors", bank.texts, features, "random")
    config.model.text_branch.features = str(tmp_path / "texts.safetensors")
    config.train_cfg.max_epochs = config.train_cfg.val_interval = 1
    config.default_hooks.logger.interval = 1
    config.work_dir = str(tmp_path / "run")
    config.experiment_name = "tensorboard"
    # As docs/visualization.md has it.
    config.vis_backends = [
        dict(type="LocalVisBackend"),
        dict(type="TensorboardVisBackend"),
    ]
    config.visualizer.vis_backends = config.vis_backends
    launch.build_runner(config).train()

    (log,) = tmp_path.glob("run/*/vis_data/scalars.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (events,) = tmp_path.glob("run/*/vis_data/events.out.tfevents.*")
    found = reader.EventAccumulator(str(events.parent))
    found.Reload()
    assert set(KEYS) <= set(found.Tags()["scalars"])
    for key in KEYS:
        wanted = [(line["step"], line[key]) for line in lines if key in line]
        assert wanted
        values = [(event.step, event.value) for event in found.Scalars(key)]
        assert [step for step, _ in values] == [step for step, _ in wanted]
        assert [value for _, value in values] == pytest.approx(
            [value for _, value in wanted], rel=1e-6
        )
