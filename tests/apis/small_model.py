"""Small models with checkpoints, for the tests of inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import save_checkpoint

from gap_mmaction.apis import SkeletonInferencer
from gap_mmaction.models.text.cached_encoder import save_features
from tests.config_files import ROOT, load

FEATURES = 6
CLASSES = 10


def make_config(folder: Path, leaf: str = "ctrgcn_nwucla") -> Config:
    """Returns a leaf with two narrow blocks, and random features of its texts."""
    config = load(ROOT / "configs" / "gap" / f"{leaf}.py")
    config.model.backbone.update(base_channels=8, num_stages=2)
    config.model.cls_head.in_channels = 8
    branch = config.model.text_branch
    branch.prompts.descriptions = str(ROOT / branch.prompts.descriptions)
    bank = MODELS.build({"type": "PromptBank", **branch.prompts})
    generator = torch.Generator().manual_seed(0)
    features = torch.randn((len(bank.texts), FEATURES), generator=generator)
    path = folder / f"{leaf}.safetensors"
    save_features(path, bank.texts, features, "random")
    branch.features = str(path)
    return config


class SmallRun(NamedTuple):
    """A config, which is in the folder as ``config.py``, and what it has trained."""

    folder: Path
    config: Config
    checkpoint: Path
    model: Any

    @property
    def options(self) -> list[str]:
        """Names both on the command line of a tool."""
        config = str(self.folder / "config.py")
        return ["--config", config, "--checkpoint", str(self.checkpoint)]

    def inferencer(self, **options: Any) -> SkeletonInferencer:
        return SkeletonInferencer(self.config, self.checkpoint, **options)


def make_run(folder: Path, config: Config | None = None) -> SmallRun:
    """Writes a config, that of NW-UCLA by default, and a checkpoint of its model."""
    config = config or make_config(folder)
    config.dump(folder / "config.py")
    checkpoint = folder / "epoch_1.pth"
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    save_checkpoint({"state_dict": model.state_dict(), "meta": {}}, str(checkpoint))
    return SmallRun(folder, config, checkpoint, model.eval())


def make_sequences(count: int) -> list[np.ndarray]:
    """Make sequences ``[1, T, 20, 3]`` of several lengths."""
    rng = np.random.default_rng(0)
    shapes = [(1, 9 + 5 * i, 20, 3) for i in range(count)]
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]
