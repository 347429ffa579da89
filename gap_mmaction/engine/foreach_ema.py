"""ForeachEMA: an average of the weights in a few launches."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import MomentumAnnealingEMA
from mmengine.registry import MODELS
from torch import nn

from gap_mmaction.compat import foreach_kernel


@MODELS.register_module()
class ForeachEMA(MomentumAnnealingEMA):
    """MMEngine's ``MomentumAnnealingEMA``, whose arguments it takes, and its values.

    That one asks the device for the number of steps at every tensor, and averages each
    by itself; here the host counts as well, and all tensors go together.
    """

    _count: int | None = None

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Averages the parameters and, if wanted, the buffers of a model."""
        if self._count is None:  # at the start, and behind a checkpoint
            self._count = int(self.steps)
        names = model.state_dict() if self.update_buffers else model.named_parameters()
        source = dict(names)
        pairs = [(kept, source[name]) for name, kept in self.avg_parameters.items()]
        if not self.update_buffers:
            pairs += zip(self.module.buffers(), model.buffers())
        averaged, weight = len(self.avg_parameters), 1.0
        if self._count:
            weight = max(self.momentum, self.gamma / (self.gamma + self._count))
        together: list[Any] = []
        for index, (kept, value) in enumerate(pairs):
            if self._count == 0 or index >= averaged:
                kept.copy_(value)
            elif kept.dtype.is_floating_point and self._count % self.interval == 0:
                together.append((kept, value.to(kept.device)))
        if together:
            foreach_kernel("lerp_")(*map(list, zip(*together)), weight)
        self.steps += 1
        self._count += 1

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._count = None
        super()._load_from_state_dict(*args, **kwargs)
