"""Schedules in proportion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

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
    assert (steps["milestones"], steps["end"]) == ([900, 1000], 1100)
    assert not warm_up["by_epoch"] and not steps["by_epoch"]
    # A warm-up that is shorter than an iteration is left out.
    (steps,) = scale_schedule(schedule("gap_sgd_110e"), 1, 5)["param_scheduler"]
    assert steps["type"] == "MultiStepLR"


def test_cosine() -> None:
    changes = scale_schedule(schedule("gap_sgd_cosine_40e"), 2, 32)
    assert changes["train_cfg"] == {"max_epochs": 2, "val_interval": 1}
    warm_up, cosine = changes["param_scheduler"]
    assert (warm_up["begin"], warm_up["end"]) == (0, 5)
    assert (cosine["begin"], cosine["end"]) == (5, 64)
    assert cosine["eta_min"] == 1e-4
    assert not any("convert_to_iter_based" in item for item in (warm_up, cosine))
    changes = scale_schedule(schedule("gap_sgd_cosine_40e"), 80, 32)
    assert changes["train_cfg"] == {"max_epochs": 80, "val_interval": 10}
    assert changes["param_scheduler"][1]["end"] == 80 * 32


@pytest.mark.parametrize("steps", [20, 160, 2000])
def test_average_of_the_weights_is_near_the_last_ones(steps: int) -> None:
    hook = schedule("gap_sgd_cosine_40e_ema")["custom_hooks"][0]
    kept = ("type", "priority", "ema_type")
    options = {key: value for key, value in hook.items() if key not in kept}
    weight: Any = nn.BatchNorm1d(1)
    average = MODELS.build({"type": hook["ema_type"], "model": weight, **options})
    for step in range(steps + 1):
        nn.init.constant_(weight.bias, step)
        weight.running_mean.fill_(step)
        average.update_parameters(weight)
    for value in (average.module.bias, average.module.running_mean):
        assert steps - float(value.detach()) < min(steps / 10, 100)


def test_what_is_left_as_it_is_or_cannot_be_scaled() -> None:
    own = schedule("gap_sgd_110e")
    assert scale_schedule(own, 110, 550) == {}
    assert "param_scheduler" not in scale_schedule(own, 2, None)
    own["param_scheduler"] = {"type": "ExponentialLR", "gamma": 0.9}
    with pytest.raises(ValueError, match="'ExponentialLR': --epochs can scale"):
        scale_schedule(own, 2, 10)
    with pytest.raises(ValueError, match="max_epochs is not set"):
        scale_schedule({"train_cfg": {"max_iters": 9}}, 2, 10)
