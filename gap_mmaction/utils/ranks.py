"""The processes of a distributed training, by torch alone."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def rank_and_size() -> tuple[int, int]:
    """Returns this process's rank and their number, (0, 1) where there is one alone."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def gather_from_ranks(x: Tensor) -> Tensor:
    """Concatenates batches ``[B, ...]``, of one size, of the W ranks to ``[W B, ...]``.

    Every rank computes the same loss, and DDP takes the mean of the gradients. A rank
    adds its own part's share alone, hence times W.
    """
    rank, world = rank_and_size()
    if world == 1:
        return x
    own = x.detach().contiguous()
    parts = [torch.empty_like(own) for _ in range(world)]
    dist.all_gather(parts, own)
    if x.requires_grad:
        parts[rank] = x.clone()
        parts[rank].register_hook(lambda grad: grad * world)
    return torch.cat(parts)
