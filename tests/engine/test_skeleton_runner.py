"""A run that was interrupted and resumed ends as one that never was."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from mmaction.registry import HOOKS, METRICS
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook

from gap_mmaction.datasets import SeededDataset
from gap_mmaction.engine import BrokenCheckpointError, launch
from tests.benchmarks.kill_test import compare_checkpoints
from tests.engine.tiny_run import ROOT, tiny_config

EPOCHS = 3
STEPS = 3
NAMES = iter(range(10**6))
WORKERS = {f"train_dataloader.{x}": 2 for x in ("num_workers", "persistent_workers")}


class InterruptedRunError(Exception):
    """Stands for a kill."""


class Interrupt(Hook):
    def __init__(self, step: int) -> None:
        self.step = step

    def before_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        if runner.iter == self.step:
            # As nobody knows what the next process will have drawn.
            torch.manual_seed(1234)
            raise InterruptedRunError


def train(config: Config, folder: Path, step: int | None = None) -> Any:
    config.work_dir, config.resume = str(folder), config.get("resume") or True
    # MMEngine keeps loggers and message hubs by this name.
    config.experiment_name = f"run_{next(NAMES)}"
    runner = launch.build_runner(config)
    if step is None:
        runner.train()
        return runner
    runner.register_hook(Interrupt(step))
    with pytest.raises(InterruptedRunError):
        runner.train()
    return runner


def check(config: Config, tmp_path: Path, step: int, changes: Any = None) -> None:
    """Compares a run that is interrupted at a step with one that is not."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(config, whole)
    train(config, parts, step)
    config.merge_from_dict(changes or {})
    resumed = train(config, parts)
    assert isinstance(resumed.train_dataloader.dataset, SeededDataset)
    last = Path((parts / "last_checkpoint").read_text()).name
    tensors, different = compare_checkpoints(whole / last, parts / last)
    assert tensors > 100 and different == []


@pytest.mark.parametrize("interval, step", [(2, 5), (3, 4), (None, STEPS + 1)])
def test_interrupted(tmp_path: Path, interval: int | None, step: int) -> None:
    config = tiny_config(tmp_path, EPOCHS)
    # Of step 4, in the midst of an epoch; of step 3, before its end is noted.
    if interval is not None:
        config.default_hooks.checkpoint.update(by_epoch=False, interval=interval)
    check(config, tmp_path, step, WORKERS)


@METRICS.register_module()
class Rising(BaseMetric):
    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict[str, float]:
        return {"acc/top1": 2.0}


@HOOKS.register_module()
class Begin(Hook):
    """Notes what processes begin with: weights, and each epoch's draw of texts."""

    draws: ClassVar[list[tuple[int, int]]] = []
    weights: ClassVar[list[dict[str, torch.Tensor]]] = []

    def before_train(self, runner: Any) -> None:
        self.weights.append(copy.deepcopy(runner.model.state_dict()))

    def before_train_epoch(self, runner: Any) -> None:
        bank = runner.model.text_branch.prompts
        self.draws.append((bank.seed, bank.step))


def test_start_from_the_weights_of_another_run(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, EPOCHS)
    train(config, tmp_path / "first", STEPS + 1)
    config.load_from = str(tmp_path / "first/epoch_1.pth")
    config.merge_from_dict({"resume": "auto", "randomness.seed": 8})
    config.model.text_branch.prompts.seed = 9
    config.custom_hooks = [dict(type="Begin")]
    # Interrupted before it has a checkpoint, and after.
    train(config, tmp_path / "parts", 1)
    check(config, tmp_path, STEPS + 1)
    assert Begin.draws == [(9, step) for step in (0, *(0, 3, 6), *(0, 3), *(3, 6))]
    weights = torch.load(config.load_from, weights_only=True)["state_dict"]
    for begun in Begin.weights[:3]:
        for name in begun.keys() - {"text_branch.prompts._extra_state"}:
            assert torch.equal(begun[name], weights[name]), name


SCHEDULE = [dict(type="MultiStepLR", milestones=[2])]
SHARES = [dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=0.5)]
HEAD = {"type": "PartPoolingHead", "parts": ["hip"]}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"optim_wrapper.optimizer.lr": 0.5}, r"optimizer\.lr is 0\.1 there, 0\.5 is"),
        ({"param_scheduler": SCHEDULE}, r"param_scheduler\.0\.begin is 0 there"),
        ({"model.text_branch": None}, r"text_branch is 'TextBranch' there, None is"),
        ({"model.text_branch.head": HEAD}, r"epoch_1\.pth: its optimizer has other"),
        ({"train_cfg.max_epochs": 2}, None),
    ],
)
def test_settings_that_a_checkpoint_overrules(
    tmp_path: Path, changes: dict[str, Any], message: str | None
) -> None:
    config = tiny_config(tmp_path, EPOCHS)
    folder = tmp_path / "run"
    train(config, folder, STEPS + 1)
    dumped = folder / "ctrgcn_synthetic.py"
    before = dumped.read_text()
    config.merge_from_dict(changes)
    if message is None:
        assert train(config, folder).epoch == changes["train_cfg.max_epochs"]
        return
    with pytest.raises(ValueError, match=message):
        train(config, folder)
    assert dumped.read_text() == before


def test_averages_and_gradients_that_wait(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, EPOCHS, optim_wrapper__accumulative_counts=2)
    config.custom_hooks = [dict(type="EMAHook")]
    # Three steps an epoch: the first one's end has a gradient waiting.
    check(config, tmp_path, STEPS + 2)
    (log, *_) = (tmp_path / "whole").glob("*/*.log")
    assert "momentum 0.0002 still has 100%" in log.read_text()
    first = torch.load(tmp_path / "parts" / "epoch_2.pth", weights_only=True)
    assert "pending_gradients" not in first


def test_seed_that_nobody_has_set(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, EPOCHS, randomness__seed=None)
    parts = tmp_path / "parts"
    seed = train(config, parts, STEPS + 1).seed
    resumed = train(config, parts)
    assert resumed.seed == resumed.train_dataloader.sampler.seed == seed
    config.randomness.seed = seed
    train(config, tmp_path / "whole")
    last = f"epoch_{EPOCHS}.pth"
    assert compare_checkpoints(tmp_path / "whole" / last, parts / last)[1] == []


ENDLESS = [dict(type="CosineAnnealingLR", T_max=EPOCHS, by_epoch=True)]


@pytest.mark.parametrize("schedule", [SHARES, ENDLESS])
def test_schedules_as_long_as_the_training(tmp_path: Path, schedule: Any) -> None:
    config = tiny_config(tmp_path, EPOCHS, param_scheduler=schedule)
    train(config, tmp_path / "run", STEPS + 1)
    config.train_cfg.max_epochs = EPOCHS + 1
    with pytest.raises(ValueError, match=r"max_epochs is 3 there, 4 is asked"):
        train(config, tmp_path / "run")


def test_best_checkpoint_of_another_folder_stays(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, 1)
    train(config, tmp_path / "old")
    (best,) = (tmp_path / "old").glob("best_*.pth")
    config.train_cfg.max_epochs = 2
    config.load_from = str(tmp_path / "old/epoch_1.pth")
    # Anything is better.
    config.val_evaluator = dict(type="Rising")
    train(config, tmp_path / "new")
    assert best.is_file() and list((tmp_path / "new").glob("best_*epoch_2.pth"))


def test_damaged_checkpoint(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, EPOCHS)
    folder = tmp_path / "run"
    train(config, folder, 2 * STEPS + 1)
    last = folder / "epoch_2.pth"
    last.write_bytes(last.read_bytes()[:-1000])
    config.load_from = str(last)
    with pytest.raises(BrokenCheckpointError, match=r"epoch_2\.pth .*cannot be read"):
        train(config, folder)
    config.load_from = None
    assert train(config, folder, STEPS + 1).epoch == 1


@pytest.mark.parametrize(("epochs", "warm_up"), [(40, 9), (1, 1)])
def test_shares_of_the_training(tmp_path: Path, epochs: int, warm_up: int) -> None:
    config = tiny_config(tmp_path, epochs)
    small = ROOT / "configs/_base_/schedules/gap_small_data.py"
    config.param_scheduler = Config.fromfile(small).param_scheduler
    runner = launch.build_runner(config)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    schedulers = runner.build_param_scheduler(config.param_scheduler)
    spans = [(scheduler.begin, scheduler.end) for scheduler in schedulers]
    assert spans == [(0, warm_up), (warm_up, epochs * STEPS)]
    assert not any(scheduler.by_epoch for scheduler in schedulers)
    config.train_dataloader.update(drop_last=True, batch_size=41)
    with pytest.raises(ValueError, match=r"40 samples .* fill no batch of 41"):
        train(config, tmp_path / "none")


def test_stock_data_set_and_iterations(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, 1)
    dataset = config.train_dataloader.dataset.dataset
    dataset.type = "PoseDataset"
    del dataset["layout"]
    runner = train(config, tmp_path / "run")
    assert isinstance(runner.train_dataloader.dataset, SeededDataset)
    assert runner.train_dataloader.dataset.metainfo == {}

    # A loop without epochs is MMEngine's own matter.
    config.train_cfg = dict(type="IterBasedTrainLoop", max_iters=2, val_interval=100)
    config.param_scheduler = None
    config.default_hooks.checkpoint.by_epoch = False
    config.log_processor.by_epoch = False
    runner = train(config, tmp_path / "iterations")
    assert not isinstance(runner.train_dataloader.dataset, SeededDataset)


def train_with(folder: Path, kind: str) -> tuple[np.ndarray, Any]:
    config = tiny_config(folder, 2, optim_wrapper__type=kind)
    config.experiment_name = f"amp_{kind}"
    config.work_dir = str(folder / kind)
    runner = launch.build_runner(config)
    types = []
    runner.model.text_branch.head.register_forward_hook(
        lambda module, args, out: types.append(out.dtype)
    )
    runner.train()
    losses = runner.message_hub.get_scalar("train/loss").data[0]
    return np.asarray(losses), types[-1]


def test_losses_are_near_those_of_single_precision(tmp_path: Path) -> None:
    single, kind = train_with(tmp_path, "OptimWrapper")
    half, kind_half = train_with(tmp_path, "BFloat16OptimWrapper")
    assert (kind, kind_half) == (torch.float32, torch.bfloat16)
    assert len(half) == 6 and np.isfinite(half).all()
    # bfloat16 has eight bits.
    assert 0 < np.abs(half - single).max() < 0.05 * single.max()
    state = torch.load(tmp_path / "BFloat16OptimWrapper/epoch_2.pth", weights_only=True)
    kinds = {value.dtype for value in state["state_dict"].values()}
    assert kinds <= {torch.float32, torch.int64}


@pytest.mark.parametrize("fused", [None, False])
def test_settings_of_cuda(
    fused: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner: Any = launch.build_runner(tiny_config(tmp_path))
    settings = dict(optimizer=dict(type="SGD", lr=0.1))
    if fused is not None:
        settings["optimizer"]["fused"] = fused
    assert not runner.build_optim_wrapper(settings).optimizer.defaults["fused"]
    set_to: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", set_to.append)
    runner.setup_env(runner.cfg.env_cfg)
    assert not set_to
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    runner.setup_env(runner.cfg.env_cfg)
    assert set_to == ["high"]
    wrapper = runner.build_optim_wrapper(settings)
    assert wrapper.optimizer.defaults["fused"] is (fused is not False)
