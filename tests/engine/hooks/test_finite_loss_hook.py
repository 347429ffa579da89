"""A loss that is no number ends the run, before anything is done with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook

from gap_mmaction.engine import NonFiniteLossError
from gap_mmaction.engine.checkpoint_files import find_resumable, read_meta
from gap_mmaction.utils import launch
from tests.engine.tiny_run import tiny_config

BAD_STEP = 4


class Poison(Hook):
    """Puts NaN into one clip, after the data set's own check."""

    sample = ""

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        if runner.iter == BAD_STEP:
            self.sample = data_batch["data_samples"][2].frame_dir
            data_batch["inputs"][2] = torch.full_like(
                data_batch["inputs"][2], float("nan")
            )


def test_run_ends_with_names_and_a_good_checkpoint(tmp_path: Path) -> None:
    runner = launch.build_runner(tiny_config(tmp_path))
    poison = Poison()
    runner.register_hook(poison, "VERY_HIGH")
    with pytest.raises(NonFiniteLossError, match="samples are p0") as caught:
        runner.train()
    assert poison.sample in str(caught.value)
    assert f"epoch 2, iteration {BAD_STEP}" in str(caught.value)

    folder = tmp_path / "run"
    (file,) = folder.glob("non_finite_loss_*.json")
    report = json.loads(file.read_text())
    assert (report["epoch"], report["iter"], report["batch"]) == (1, BAD_STEP, 1)
    assert report["loss"] == "nan" and report["losses"]["loss_cls"] == "nan"
    assert len(report["samples"]) == 16
    bad = [s for s in report["samples"] if not s["finite_in_the_data"]]
    assert [sample["name"] for sample in bad] == [poison.sample]
    assert not bad[0]["finite_in_the_model"]
    # The optimizer has not spread it; the batch's statistics have it already.
    assert report["non_finite_parameters"] == []
    assert report["non_finite_buffers"]
    assert report["lr"]["lr"][0] > 0 and report["seed"] == 3

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
