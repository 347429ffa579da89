"""A loss that is no number ends the run, before anything is done with it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from mmaction.structures import ActionDataSample
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from torch.multiprocessing.spawn import start_processes
from torch.optim import SGD

from gap_mmaction.engine import FiniteLossHook, NonFiniteLossError, launch
from gap_mmaction.engine.checkpoint_files import find_resumable, read_meta
from tests.engine.tiny_run import tiny_config

BAD_STEP = 4


class Poison(Hook):
    """Puts NaN into one clip, after the data set's own check."""

    def before_train_iter(self, runner: Any, data_batch: Any = None, **_: Any) -> None:
        if runner.iter == BAD_STEP:
            self.sample = data_batch["data_samples"][2].frame_dir
            data_batch["inputs"][2] = data_batch["inputs"][2] * float("nan")


def test_run_ends_with_names_and_a_good_checkpoint(tmp_path: Path) -> None:
    runner = launch.build_runner(tiny_config(tmp_path))
    poison = Poison()
    runner.register_hook(poison, "VERY_HIGH")
    with pytest.raises(NonFiniteLossError, match=f"epoch 2, iteration {BAD_STEP}") as e:
        runner.train()
    assert poison.sample in str(e.value)

    folder = tmp_path / "run"
    (file,) = folder.glob("non_finite_loss_*.json")
    report = json.loads(file.read_text())
    assert (report["epoch"], report["iter"], report["batch"]) == (1, BAD_STEP, 1)
    assert report["loss"] == "nan" and report["losses"]["loss_cls"] == "nan"
    (bad,) = [s for s in report["samples"] if not s["finite_in_the_data"]]
    assert bad["name"] == poison.sample and not bad["finite_in_the_model"]
    # The optimizer has not spread it; the batch's statistics have it already.
    assert report["non_finite_parameters"] == []
    assert report["non_finite_buffers"]
    last = find_resumable(folder)
    assert last == folder / "epoch_1.pth" and read_meta(last)["epoch"] == 1
    assert report["last_checkpoint"] == str(last)
    state = torch.load(last, weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in state.values())


def test_infinite_term_that_is_no_loss_is_left_alone(tmp_path: Path) -> None:
    runner = launch.build_runner(tiny_config(tmp_path, epochs=1))
    forward = runner.model.loss

    def loss(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**forward(*args, **kwargs), "con_extra": torch.tensor(float("inf"))}

    runner.model.loss = loss
    runner.train()
    assert runner.iter == 3
    assert not list((tmp_path / "run").glob("*.json"))


def test_loss_without_a_step(tmp_path: Path) -> None:
    """As where gradients are accumulated, or a scaler leaves the step out."""
    config = tiny_config(tmp_path)
    config.optim_wrapper.accumulative_counts = 100
    runner = launch.build_runner(config)
    runner.register_hook(Poison(), "VERY_HIGH")
    with pytest.raises(NonFiniteLossError, match=f"epoch 2, iteration {BAD_STEP}"):
        runner.train()


class LossOfRank(torch.nn.Module):
    """Gives a loss that is no number in the second process."""

    def forward(self, inputs: Any, data_samples: Any, mode: str) -> dict[str, Any]:
        value = float("inf") if dist.get_rank() == 1 else 1.0
        return {"loss_cls": torch.tensor(value), "acc": torch.tensor(0.0)}


def process(rank: int, folder: str) -> None:
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    runner: Any = SimpleNamespace(
        **dict(model=LossOfRank(), work_dir=folder, epoch=0, iter=7, seed=1),
        message_hub=MessageHub(f"rank{rank}"),
        optim_wrapper=OptimWrapper(SGD([torch.ones(1, requires_grad=True)], 0.1)),
    )
    hook = FiniteLossHook()
    hook.before_train(runner)
    hook.before_train_iter(runner, 7, {})
    sample = ActionDataSample()
    try:
        runner.model(inputs=torch.ones(1), data_samples=[sample], mode="loss")
        runner.optim_wrapper.optimizer.step()
    except NonFiniteLossError as error:
        Path(folder, f"{rank}.txt").write_text(str(error))
    # All have come here: none is waiting for another.
    dist.barrier()
    dist.destroy_process_group()


def test_every_rank_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    # Forked, to import the libraries once.
    start_processes(process, (str(tmp_path),), nprocs=2, start_method="fork")
    for rank, loss in enumerate(("not finite", "inf")):
        message = (tmp_path / f"{rank}.txt").read_text()
        assert f"the loss is {loss} at epoch 1, iteration 7, of rank 1" in message
    (file,) = tmp_path.glob("*.json")
    assert file.name == "non_finite_loss_iter7_rank1.json"
