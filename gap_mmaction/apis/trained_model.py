"""A model and the weights of a checkpoint."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from os import PathLike
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from gap_mmaction.models.recognizers import drop_text_branch
from gap_mmaction.models.recognizers.recognizer_gap import TEXT_PREFIX
from gap_mmaction.utils.checkpoint_fit import CheckpointError, check_fit
from gap_mmaction.utils.checkpoint_reader import read_checkpoint, weights_of
from gap_mmaction.utils.command_line import ConfigSource, read_config

_PARTS = ("backbone.", "cls_head.")


def read_weights(checkpoint: str | PathLike[str]) -> dict[str, Tensor]:
    """Reads the state dict of a checkpoint, a file or a URL, without running it."""
    return weights_of(read_content(checkpoint), checkpoint)


def read_content(checkpoint: str | PathLike[str]) -> dict[str, Any]:
    """Reads a checkpoint, ``state_dict`` and ``meta``, a file or a URL likewise."""
    name = os.fspath(checkpoint)
    try:
        if "://" not in name:
            return read_checkpoint(name)
        # Loads with weights_only, see compat.allow_checkpoint_globals.
        content: dict[str, Any] = CheckpointLoader.load_checkpoint(name, "cpu")
    except pickle.UnpicklingError as error:
        raise ValueError(str(error)) from error
    return content


def load_model(
    config: ConfigSource,
    checkpoint: str | PathLike[str],
    device: str | torch.device = "cpu",
    text_branch: bool = False,
) -> nn.Module:
    """Builds the model of a config with a checkpoint's weights, in evaluation mode.

    Args:
        config: A path or a config, which is left as it is.
        checkpoint: ``.pth`` or ``.safetensors``, a path or URL.
        device: Where the model goes.
        text_branch: Whether to keep the text branch. Without it no text model is built
            or imported. With it a tuned encoder has the checkpoint's weights; a frozen
            one is run over the texts of the classes and let go, unless the config names
            a file of features.

    Raises:
        FileNotFoundError: If a file is not there.
        CheckpointError: If the checkpoint is one of another model.
        ValueError: If it is none, or has no text branch where that is wanted.
    """
    content = read_content(checkpoint)
    return build_model(config, content, os.fspath(checkpoint), device, text_branch)


def build_model(
    config: ConfigSource,
    content: Mapping[str, Any],
    name: str,
    device: str | torch.device = "cpu",
    text_branch: bool = False,
) -> nn.Module:
    """Does as :func:`load_model` with what :func:`read_content` returns."""
    config = read_config(config)
    weights = weights_of(content, name)
    has_text = any(key.startswith(TEXT_PREFIX) for key in weights)
    init_default_scope(config.get("default_scope", "mmaction"))
    if not text_branch:
        drop_text_branch(config)
        weights = {k: v for k, v in weights.items() if not k.startswith(TEXT_PREFIX)}
    elif config.model.get("text_branch") is None:
        raise ValueError(
            "the config has no text branch (model.text_branch), which part similarity "
            "needs; give the config that the checkpoint was trained with"
        )
    elif not has_text:
        raise ValueError(
            f"{name}: the checkpoint has no text branch, which part similarity needs: "
            "it was trained without one, or tools/publish_model.py has taken it out. "
            "Give the checkpoint that training has written"
        )
    model = MODELS.build(config.model)
    if hasattr(model.data_preprocessor, "input_scale"):
        meta = content.get("meta") or {}
        model.data_preprocessor.input_scale = meta.get("input_scale")
    if text_branch:
        _check_text_branch(model.state_dict(), weights, name)
        # Reads a feature file, or runs the frozen encoder.
        model.text_branch.compute_features()
    own = model.state_dict(keep_vars=True)
    for part in _PARTS:  # which would be left at random
        of_part = (any(key.startswith(part) for key in keys) for keys in (own, weights))
        if tuple(of_part) == (True, False):
            raise CheckpointError(
                f"{name}: the checkpoint has no {part[:-1]}; give one of the whole "
                "recognizer"
            )
    try:
        check_fit(own, weights)
        model.load_state_dict(weights, strict=False)
    except (CheckpointError, RuntimeError) as error:
        raise CheckpointError(f"{name}: {error}") from error
    return model.to(device).eval()


def _check_text_branch(
    own: Mapping[str, Any], weights: Mapping[str, Tensor], name: str
) -> None:
    """Checks that config and checkpoint have the same text branch."""
    here, there = (
        # All but seed and step of the prompt bank's draw.
        {k for k in keys if k.startswith(TEXT_PREFIX) and "_extra_state" not in k}
        for keys in (own, weights)
    )
    different = sorted(here ^ there)
    if different:
        raise CheckpointError(
            f"{name}: the checkpoint's text branch is another one than the config's: "
            f"{len(different)} tensors are in one of them only, the first is "
            f"{different[0]!r}. Set model.text_branch as it was in training (prompts, "
            "encoder, features, loss), as the config beside it in its work dir has it"
        )
