"""Gathering over all ranks, with gradients."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from torch import Tensor


class GatherFromRanks(torch.autograd.Function):
    """Concatenate a tensor of every rank along the first dimension.

    The backward pass sums the gradients that the ranks have for a rank's part. As DDP
    then takes the mean of the parameters' gradients over W ranks, and each rank
    computes the same loss of the same global batch, the result is that loss's own
    gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Map ``[B, ...]`` to ``[W B, ...]``."""
        ctx.batch = x.shape[0]
        parts = [torch.empty_like(x) for _ in range(get_world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """Give the gradient of this rank's part."""
        grad = grads[0].contiguous().clone()
        dist.all_reduce(grad)
        return grad[get_rank() * ctx.batch :][: ctx.batch]


def gather_from_ranks(x: Tensor) -> Tensor:
    """Concatenate the batches of all ranks; every rank must have the same size.

    Args:
        x: ``[B, ...]``.

    Returns:
        ``[W B, ...]`` in the order of the ranks; ``x`` itself on a single rank.
    """
    return x if get_world_size() == 1 else GatherFromRanks.apply(x)
