"""Copies from the host to a device, as few as can be, that nobody waits for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Returns a tensor of the CPU on a device; to CUDA it goes from pinned memory."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def send_together(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Returns tensors on a device; if they are of one type, by a single copy."""
    if device.type == "cpu" or len({tensor.dtype for tensor in tensors}) > 1:
        return [send(tensor, device) for tensor in tensors]
    flat = send(torch.cat([tensor.flatten() for tensor in tensors]), device)
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors)]
