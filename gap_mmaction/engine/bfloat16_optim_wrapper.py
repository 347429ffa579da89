"""BFloat16OptimWrapper: mixed precision on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper`` with the forward pass in bfloat16 where torch says.

    bfloat16 has the range of float32, so there is no loss to scale. MMEngine's
    ``AmpOptimWrapper`` refuses to be made without an accelerator, which is the one
    difference: on one, ``AmpOptimWrapper`` with ``dtype='bfloat16'`` computes the same.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocasts; exchanges no gradients while they are accumulated."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield
