"""What GAP costs: a recognizer with the text branch against the plain GCN."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from gap_mmaction.skeletons import get_skeleton

from .measure import Comparison, compare


def measure_step(
    config: Path,
    clips: int,
    frames: int,
    pairs: int,
    device: torch.device,
    amp: bool,
) -> Iterator[dict[str, Any]]:
    """Compare training steps without the optimizer: forward, losses, backward.

    Args:
        config: A config with a text branch; its text features or encoder are used.
        clips: Batch size.
        frames: Frames T of a clip.
        pairs: How often each is timed.
        device: Where.
        amp: Whether under autocast to bfloat16.

    Yields:
        A summary, see :meth:`gap_mmaction.benchmark.measure.Comparison.summary`, with
        ``work``. The ratio is below 1 by what GAP costs.
    """
    gap, plain, batch = _build(config, clips, frames, device, training=True)
    ours, other = (_Step(model, batch, amp) for model in (gap, plain))
    yield _row("step with GAP / without", config, compare(ours, other, pairs, device))


def measure_inference(
    config: Path,
    clips: int,
    frames: int,
    pairs: int,
    device: torch.device,
    amp: bool,
) -> Iterator[dict[str, Any]]:
    """Compare what is left at test time: the same network and the same parameters.

    Args:
        config: As for :func:`measure_step`, like the others.
        clips: Batch size.
        frames: Frames T of a clip.
        pairs: How often each is timed.
        device: Where.
        amp: Whether under autocast to bfloat16.

    Yields:
        A summary with ``work`` and ``parameters``, those of both, the text branch of
        the one that was trained with GAP being left out as ``tools/test.py`` does.
    """
    gap, plain, batch = _build(config, clips, frames, device, training=False)
    counts = [sum(p.numel() for p in model.parameters()) for model in (gap, plain)]
    ours, other = (_Test(model, batch, amp) for model in (gap, plain))
    work = "test time, trained with GAP / without"
    row = _row(work, config, compare(ours, other, pairs, device))
    yield dict(parameters=counts, **row)


class _Step:
    """Losses of a batch and their gradients."""

    def __init__(self, model: nn.Module, batch: dict[str, Any], amp: bool) -> None:
        self.model, self.batch, self.amp = model, batch, amp

    def __call__(self) -> None:
        inputs = self.batch["inputs"]
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.amp):
            losses = self.model(**self.batch, mode="loss")
        total = sum(v for k, v in losses.items() if k in ("loss_cls", "loss_con"))
        assert isinstance(total, torch.Tensor)
        total.backward()
        self.model.zero_grad(set_to_none=True)


class _Test(_Step):
    """Scores of a batch."""

    @torch.no_grad()
    def __call__(self) -> None:
        inputs = self.batch["inputs"]
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.amp):
            self.model(**self.batch, mode="predict")


def _build(
    path: Path, clips: int, frames: int, device: torch.device, training: bool
) -> tuple[nn.Module, nn.Module, dict[str, Any]]:
    init_default_scope("mmaction")
    config = Config.fromfile(path)
    if not config.model.get("text_branch"):
        raise ValueError(
            f"{path}: model.text_branch is not set; give a config with GAP"
        )
    models = []
    for with_text in (True, False):
        settings = config.model.to_dict()
        if not (with_text and training):
            settings["text_branch"] = None
        torch.manual_seed(0)
        model = MODELS.build(settings)
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
    return models[0], models[1], batch


def _row(work: str, config: Path, comparison: Comparison) -> dict[str, Any]:
    return dict(work=f"{config.stem}, {work}", **comparison.summary())
