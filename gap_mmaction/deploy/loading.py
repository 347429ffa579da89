"""Build the model of a config as it is tested, with the weights of a checkpoint."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from torch import nn

from gap_mmaction.apis.trained_model import load_model


def load_for_test(cfg: Config, checkpoint: str | Path) -> nn.Module:
    """Build a config's model and load a checkpoint into it, strictly.

    Args:
        cfg: The config.
        checkpoint: ``.pth`` or ``.safetensors``; a text branch in it is left aside.

    Returns:
        The recognizer on the CPU, in evaluation mode, without gradients.

    Raises:
        CheckpointError: If it is a checkpoint of another model; a ValueError, as for
            a file that is none.
        FileNotFoundError: If it is not there.
    """
    model = load_model(cfg, checkpoint)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model
