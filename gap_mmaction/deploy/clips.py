"""Clips to try a model with: those of a test set, or made up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from gap_mmaction.skeletons.layouts import find_test_pipeline
from gap_mmaction.utils.config_parts import annotated_data

from .clip_scorer import joints_of, person_limit


@dataclass(frozen=True)
class Clips:
    """Inputs of a model."""

    samples: list[Tensor]  # [clips, M, T, V, C] of each sequence
    source: str  # where they are from, in words

    def batches(self, size: int) -> Iterator[Tensor]:
        """Stacks the samples, some at a time, ``[B, clips, M, T, V, C]``."""
        for start in range(0, len(self.samples), size):
            yield torch.stack(self.samples[start : start + size])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape ``(clips, M, T, V, C)`` of a sample."""
        return tuple(self.samples[0].shape)


def dataset_clips(cfg: Config, limit: int | None, ann_file: str | None = None) -> Clips:
    """Reads up to ``limit`` sequences of a config's test set, spread over it, in order.

    ``ann_file`` is an annotation file to take instead of the config's.

    Raises:
        FileNotFoundError: If the annotations are not there.
        ValueError: If there is no test set, or the clips are of different shapes.
    """
    init_default_scope(cfg.get("default_scope", "mmaction"))
    settings = annotated_data(cfg, "test_dataloader").settings
    if ann_file is not None:
        settings["ann_file"] = ann_file
    file = Path(settings["ann_file"])
    if not file.is_file():
        raise FileNotFoundError(f"annotation file {file} is not there")
    dataset: Any = DATASETS.build(settings)
    count = len(dataset) if limit is None else min(limit, len(dataset))
    samples: list[Tensor] = []
    # Sets are ordered by class as a rule.
    for index in (i * len(dataset) // count for i in range(count)):
        samples.append(dataset[index]["inputs"].float())
        if samples[-1].shape != samples[0].shape:
            raise ValueError(
                f"{file}: sequence {index} gives clips {list(samples[-1].shape)}, the "
                f"first one {list(samples[0].shape)}; the test pipeline must make them "
                "alike, an exported model has a fixed number of frames"
            )
    return Clips(samples, f"{count} of {len(dataset)} sequences of {file.name}")


def generated_clips(
    cfg: Config, model: RecognizerGCN, frames: int, limit: int
) -> Clips:
    """Makes up ``limit`` sequences of wandering joints, always the same ones."""
    backbone = model.backbone
    persons = person_limit(backbone) or 2
    coordinates = int(getattr(backbone, "in_channels", 3))
    clips = _find_setting(cfg, "num_clips") or 1
    shape = (limit, clips, persons, frames, joints_of(backbone), coordinates)
    generator = torch.Generator().manual_seed(0)
    still = torch.randn(*shape[:3], 1, *shape[4:], generator=generator)
    steps = 0.1 * torch.randn(shape, generator=generator)
    return Clips(list(0.3 * still + steps.cumsum(3)), f"{limit} generated sequences")


def frames_of(cfg: Config) -> int | None:
    """Returns the number of frames of a clip, by a config's test pipeline."""
    return _find_setting(cfg, "clip_len")


def _find_setting(cfg: Config, key: str) -> int | None:
    steps = find_test_pipeline(cfg) or []
    return next((int(step[key]) for step in steps if key in step), None)
