"""Build the model of a config as it is tested, with the weights of a checkpoint."""

from __future__ import annotations

from pathlib import Path

from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from gap_mmaction.models.recognizers.checkpoint_fit import CheckpointError
from gap_mmaction.utils.checkpoint_reader import read_checkpoint, state_dict_of
from gap_mmaction.utils.launch import drop_text_branch


def build_for_test(cfg: Config) -> RecognizerGCN:
    """Build a config's model without its text branch.

    Args:
        cfg: The config, changed in place.

    Returns:
        The recognizer on the CPU, in evaluation mode, with random weights.
    """
    init_default_scope(cfg.get("default_scope", "mmaction"))
    drop_text_branch(cfg)
    return MODELS.build(cfg.model).eval()


def load_for_test(cfg: Config, checkpoint: str | Path) -> RecognizerGCN:
    """Build a config's model and load a checkpoint into it, strictly.

    Args:
        cfg: The config, changed in place.
        checkpoint: ``.pth`` or ``.safetensors``; a text branch in it is left aside.

    Returns:
        The recognizer on the CPU, in evaluation mode, without gradients.

    Raises:
        CheckpointError: If it is a checkpoint of another model; a ValueError, as for
            a file that is none.
        FileNotFoundError: If it is not there.
    """
    model = build_for_test(cfg)
    state = state_dict_of(read_checkpoint(checkpoint), checkpoint)
    try:
        model.load_state_dict(state, strict=True)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint}: {error}") from error
    except RuntimeError as error:
        raise CheckpointError(
            f"{checkpoint} does not fit the config's model: {error}"
        ) from error
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def read_config(path: str | Path, options: dict | None = None) -> Config:
    """Read a config and merge settings into it.

    Args:
        path: The file.
        options: What ``--cfg-options`` gives.

    Raises:
        FileNotFoundError: If it is not there.
    """
    cfg = Config.fromfile(path)
    if options:
        cfg.merge_from_dict(options)
    return cfg
