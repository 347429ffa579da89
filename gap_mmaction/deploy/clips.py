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
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from torch import Tensor

from gap_mmaction.skeletons.pipeline_layout import find_test_pipeline
from gap_mmaction.utils.loader_data import annotated_data

from .clip_scorer import joints_of, person_limit

_GENERATED_PERSONS = 2


@dataclass(frozen=True)
class Clips:
    """Inputs of a model.

    Attributes:
        samples: ``[clips, M, T, V, C]`` for each sequence, as the test pipeline gives
            them.
        source: Where they are from, in words.
    """

    samples: list[Tensor]
    source: str

    def batches(self, size: int) -> Iterator[Tensor]:
        """Stack the samples, some at a time, ``[B, clips, M, T, V, C]``."""
        for start in range(0, len(self.samples), size):
            yield torch.stack(self.samples[start : start + size])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape ``(clips, M, T, V, C)`` of a sample."""
        return tuple(self.samples[0].shape)


def dataset_clips(cfg: Config, limit: int | None, ann_file: str | None = None) -> Clips:
    """Read sequences of a config's test set.

    Args:
        cfg: The config.
        limit: How many at most; None for all.
        ann_file: An annotation file to take instead of the config's.

    Returns:
        The clips, in the order of the set.

    Raises:
        FileNotFoundError: If the annotations are not there.
        ValueError: If the config has no test set, or sequences give clips of different
            shapes.
    """
    init_default_scope(cfg.get("default_scope", "mmaction"))
    settings = annotated_data(cfg, "test_dataloader").settings
    if ann_file is not None:
        settings["ann_file"] = ann_file
    file = Path(settings["ann_file"])
    if not file.is_file():
        raise FileNotFoundError(f"annotation file {file} is not there")
    dataset: BaseDataset = DATASETS.build(settings)
    count = len(dataset) if limit is None else min(limit, len(dataset))
    # Spread over the set, which is ordered by class as a rule.
    indices = [i * len(dataset) // count for i in range(count)]
    samples = []
    for index in indices:
        item: Any = dataset[index]
        samples.append(item["inputs"].float())
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
    """Make up sequences of a model's shape, always the same ones.

    Args:
        cfg: The model's config, which tells the number of clips.
        model: The recognizer.
        frames: Frames T of a clip.
        limit: How many sequences.

    Returns:
        Joints that wander about.
    """
    backbone = model.backbone
    persons = person_limit(backbone) or _GENERATED_PERSONS
    coordinates = int(getattr(backbone, "in_channels", 3))
    shape = (limit, clips_of(cfg), persons, frames, joints_of(backbone), coordinates)
    generator = torch.Generator().manual_seed(0)
    still = torch.randn(*shape[:3], 1, *shape[4:], generator=generator)
    steps = 0.1 * torch.randn(shape, generator=generator)
    return Clips(list(0.3 * still + steps.cumsum(3)), f"{limit} generated sequences")


def frames_of(cfg: Config) -> int | None:
    """Give the number of frames that a config's test pipeline makes a clip of."""
    lengths = [step["clip_len"] for step in _pipeline(cfg) if "clip_len" in step]
    return int(lengths[0]) if lengths else None


def clips_of(cfg: Config) -> int:
    """Give the number of clips of a sequence in a config's test pipeline."""
    numbers = [step["num_clips"] for step in _pipeline(cfg) if "num_clips" in step]
    return int(numbers[0]) if numbers else 1


def _pipeline(cfg: Config) -> list[Any]:
    return list(find_test_pipeline(cfg) or [])
