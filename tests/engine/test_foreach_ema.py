"""ForeachEMA is MMEngine's average, computed together."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.model import MomentumAnnealingEMA
from torch import nn

from gap_mmaction.engine import ForeachEMA


@pytest.mark.parametrize("interval", [1, 2])
@pytest.mark.parametrize("update_buffers", [False, True])
def test_same_average(update_buffers: bool, interval: int) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    options = dict(momentum=0.2, gamma=2, interval=interval)
    options["update_buffers"] = update_buffers
    expected = MomentumAnnealingEMA(copy.deepcopy(model), **options)
    found = ForeachEMA(model, **options)
    for step in range(8):
        model(torch.rand(5, 3))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.rand_like(parameter))
        if step == 4:  # goes on from a checkpoint
            state = found.state_dict()
            found = ForeachEMA(model, **options)
            found.load_state_dict(state)
        for average in (expected, found):
            average.update_parameters(model)
        torch.testing.assert_close(found.state_dict(), expected.state_dict())
