"""Parameters, operations and time of a model with GAP and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gap_mmaction.models.backbones.cpu import plain_path

from .measure import compare
from .recognizer import RecognizerWork, build_pair

CONVENTION = (
    "A multiply-add is two operations. Counted are matrix products and convolutions "
    "(torch.utils.flop_counter), on the plain path of the backbone; a training step is "
    "forward, losses and backward, without the optimizer"
)
WORKS = {"training step": True, "test": False}


@dataclass(frozen=True)
class Cost:
    """What one clip costs.

    Attributes:
        work: ``"training step"`` or ``"test"``.
        gap: Whether with GAP; at test time that means trained with it.
        parameters: Number of parameters.
        trainable: Number of those that are trained.
        flops: Operations per clip, see :data:`CONVENTION`.
        ms: Median milliseconds per clip.
    """

    work: str
    gap: bool
    parameters: int
    trainable: int
    flops: float
    ms: float


def measure_cost(
    config: Config, name: str, clips: int, frames: int, pairs: int, device: torch.device
) -> list[Cost]:
    """Measure training steps and tests, with GAP and without.

    Args:
        config: A config with a text branch. Weights of a text encoder that would be
            downloaded are random ones instead: they cost the same.
        name: Its file, for messages.
        clips: Batch size; it shares the cost of a tuned text encoder.
        frames: Frames T of a clip.
        pairs: How often each is timed, 2 or more.
        device: Where.

    Returns:
        Four rows.

    Raises:
        ValueError: If the config has no text branch.
    """
    encoder = (config.model.get("text_branch") or {}).get("encoder") or {}
    if "pretrained" in encoder:
        encoder["pretrained"] = None
    rows = []
    for work, training in WORKS.items():
        models, batch = build_pair(config, name, clips, frames, device, training)
        works = [RecognizerWork(model, batch) for model in models]
        flops = [count_flops(work) / clips for work in works]
        summary = compare(works[0], works[1], pairs, device).summary()
        times: tuple[Any, ...] = (summary["ours_ms"], summary["other_ms"])
        for gap, model, count, ms in zip((True, False), models, flops, times):
            numbers = parameter_numbers(model)
            rows.append(Cost(work, gap, *numbers, flops=count, ms=ms / clips))
    return rows


def count_flops(work: Callable[[], object]) -> int:
    """Count the operations of a function, see :data:`CONVENTION`."""
    with plain_path(), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def parameter_numbers(model: nn.Module) -> tuple[int, int]:
    """Count the numbers in a model's parameters, and in those that are trained."""
    parameters = list(model.parameters())
    trained = [p.numel() for p in parameters if p.requires_grad]
    return sum(p.numel() for p in parameters), sum(trained)
