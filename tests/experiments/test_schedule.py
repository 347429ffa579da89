"""Schedules in proportion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from gap_mmaction.experiments.schedule import scale_schedule

BASES = Path(__file__).resolve().parents[2] / "configs" / "_base_" / "schedules"


def schedule(name: str) -> dict[str, Any]:
    return Config.fromfile(BASES / f"{name}.py", import_custom_modules=False).to_dict()


def test_steps() -> None:
    changes = scale_schedule(schedule("gap_sgd_110e"), 2, 550)
    assert changes["train_cfg"]["max_epochs"] == 2
    warm_up, steps = changes["param_scheduler"]
    # 5, 90 and 100 of 110 epochs; 2 epochs are 1,100 iterations.
    assert (warm_up["begin"], warm_up["end"]) == (0, 50)
    assert warm_up["start_factor"] == 0.2
    assert steps["milestones"] == [900, 1000]
    assert steps["end"] == 1100
    assert not warm_up["by_epoch"] and not steps["by_epoch"]


def test_cosine() -> None:
    changes = scale_schedule(schedule("gap_sgd_cosine_40e"), 2, 32)
    assert changes["train_cfg"] == {"max_epochs": 2, "val_interval": 1}
    warm_up, cosine = changes["param_scheduler"]
    assert (warm_up["begin"], warm_up["end"]) == (0, 5)
    assert (cosine["begin"], cosine["end"]) == (5, 64)
    assert cosine["eta_min"] == 1e-4
    assert not any("convert_to_iter_based" in item for item in (warm_up, cosine))


def test_average_of_the_weights() -> None:
    config = schedule("gap_sgd_cosine_40e_ema")
    config["custom_hooks"].append({"type": "FiniteLossHook"})
    (hook, other) = scale_schedule(config, 2, 32)["custom_hooks"]
    # What is left of the first weights at the end: the same as after 40 epochs.
    own = config["custom_hooks"][0]
    left = (1 - own["momentum"]) ** (40 * 32)
    assert (1 - hook["momentum"]) ** (2 * 32) == pytest.approx(left)
    assert hook == {**own, "momentum": hook["momentum"]}
    assert other == {"type": "FiniteLossHook"}


def test_average_that_begins_late() -> None:
    config = schedule("gap_sgd_cosine_40e")
    late = {"type": "EMAHook", "begin_epoch": 20}
    steps = {"type": "EMAHook", "ema_type": "StochasticWeightAverage"}
    config["custom_hooks"] = [late, steps]
    scaled = scale_schedule(config, 10, 32)["custom_hooks"]
    assert scaled[0]["begin_epoch"] == 5
    assert scaled[0]["momentum"] == pytest.approx(1 - 0.9998**4)
    assert scaled[1] == steps


def test_longer() -> None:
    changes = scale_schedule(schedule("gap_sgd_cosine_40e"), 80, 32)
    assert changes["train_cfg"] == {"max_epochs": 80, "val_interval": 10}
    assert changes["param_scheduler"][1]["end"] == 80 * 32


def test_same_length_changes_nothing() -> None:
    assert scale_schedule(schedule("gap_sgd_110e"), 110, 550) == {}


def test_without_data() -> None:
    changes = scale_schedule(schedule("gap_sgd_110e"), 2, None)
    assert "param_scheduler" not in changes


def test_warm_up_shorter_than_an_iteration() -> None:
    (steps,) = scale_schedule(schedule("gap_sgd_110e"), 1, 5)["param_scheduler"]
    assert steps["type"] == "MultiStepLR"


def test_what_cannot_be_scaled() -> None:
    config = {
        "train_cfg": {"max_epochs": 4},
        "param_scheduler": {"type": "ExponentialLR", "gamma": 0.9},
    }
    with pytest.raises(ValueError, match="'ExponentialLR': --epochs can scale"):
        scale_schedule(config, 2, 10)
    with pytest.raises(ValueError, match="max_epochs is not set"):
        scale_schedule({"train_cfg": {"max_iters": 9}}, 2, 10)
