"""What GAP costs: a recognizer with the text branch against the plain GCN."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import nn

from gap_mmaction.skeletons import get_skeleton

from .measure import compare

_LOSSES = ("loss_cls", "loss_con", "loss_part")
WORKS = {
    "step": "step with GAP / without",
    "inference": "test time, trained with GAP / without",
}


def measure_recognizer(
    work: str,
    config: Path,
    clips: int,
    frames: int,
    pairs: int,
    device: torch.device,
    amp: bool,
) -> Iterator[dict[str, Any]]:
    """Compare training steps, or tests.

    Args:
        work: ``'step'``: forward, losses and backward, without the optimizer, with the
            config's text features or encoder. ``'inference'``: what is left at test
            time, the text branch being left out as ``tools/test.py`` does.
        config: A config with a text branch.
        clips: Batch size.
        frames: Frames T of a clip.
        pairs: How often each is timed.
        device: Where.
        amp: Whether under autocast to bfloat16.

    Yields:
        A summary, see :meth:`gap_mmaction.benchmark.measure.Comparison.summary`, with
        ``work`` and ``parameters``, those of both models. The ratio is below 1 by what
        GAP costs.
    """
    models, batch = build_pair(
        Config.fromfile(config), str(config), clips, frames, device, work == "step"
    )
    counts = [sum(p.numel() for p in model.parameters()) for model in models]
    ours, other = (RecognizerWork(model, batch, amp) for model in models)
    summary = compare(ours, other, pairs, device).summary()
    yield dict(work=f"{config.stem}, {WORKS[work]}", parameters=counts, **summary)


class RecognizerWork:
    """Losses of a batch and their gradients, or its scores, as the model's mode is.

    Args:
        model: A recognizer.
        batch: ``inputs`` and ``data_samples``.
        amp: Whether under autocast to bfloat16.
    """

    def __init__(
        self, model: nn.Module, batch: dict[str, Any], amp: bool = False
    ) -> None:
        self.model, self.batch, self.amp = model, batch, amp

    def __call__(self) -> None:
        """Do it once."""
        training = self.model.training
        device = self.batch["inputs"].device.type
        with torch.set_grad_enabled(training):
            with torch.autocast(device, torch.bfloat16, enabled=self.amp):
                out = self.model(**self.batch, mode="loss" if training else "predict")
            if training:
                total = sum(v for k, v in out.items() if k in _LOSSES)
                assert isinstance(total, torch.Tensor)
                total.backward()
                self.model.zero_grad(set_to_none=True)


def build_pair(
    config: Config,
    name: str,
    clips: int,
    frames: int,
    device: torch.device,
    training: bool,
) -> tuple[list[nn.Module], dict[str, Any]]:
    """Build a recognizer with the text branch and one without, and a batch for both.

    Args:
        config: A config with a text branch.
        name: Its file, for messages.
        clips: Batch size.
        frames: Frames T of a clip.
        device: Where.
        training: Whether they are to be trained. For testing neither has a text
            branch, as ``tools/test.py`` leaves it out.

    Returns:
        Both recognizers, with the same weights, and random clips with labels.

    Raises:
        ValueError: If the config has no text branch.
    """
    init_default_scope("mmaction")
    if not config.model.get("text_branch"):
        raise ValueError(
            f"{name}: model.text_branch is not set; give a config with GAP"
        )
    models = []
    for with_text in (True, False):
        settings = config.model.to_dict()
        if not (with_text and training):
            settings["text_branch"] = None
        torch.manual_seed(0)
        model = MODELS.build(settings)
        with _quiet():
            model.init_weights()
        models.append(model.to(device).train(training))
    # Of both the same weights, or one of them might have more zeros to work with.
    models[1].load_state_dict(models[0].state_dict())
    persons = config.model.backbone.get("num_person", 2)
    joints = get_skeleton(config.model.data_preprocessor.layout).num_joints
    classes = config.model.cls_head.num_classes
    inputs = torch.randn(clips, 1, persons, frames, joints, 3, device=device)
    samples = [ActionDataSample().set_gt_label(i % classes) for i in range(clips)]
    batch = dict(inputs=inputs, data_samples=[s.to(device) for s in samples])
    return models, batch


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep mmengine from logging how each tensor was initialized."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
