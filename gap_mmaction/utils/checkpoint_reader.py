"""Read checkpoints without running anything that is in them."""

from __future__ import annotations

import pickle
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .checkpoint_guard import first_sentence
from .safetensors_checkpoint import SUFFIX, load_from_safetensors

# What torch raises for a truncated file or for one of another kind.
_BROKEN = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, OSError),
    *(RuntimeError, TypeError, ValueError),
)


def read_checkpoint(path: str | PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint file to the CPU.

    Args:
        path: A ``.safetensors`` file, or what ``torch.save`` has written, read with
            ``weights_only`` and the allow-list of :mod:`gap_mmaction.compat`.

    Returns:
        What is in the file; as a rule a dict with ``state_dict`` and ``meta``.

    Raises:
        FileNotFoundError: If it is not there.
        pickle.UnpicklingError: If it asks for more than tensors, containers and what
            mmengine writes.
        ValueError: If it is no checkpoint, or a damaged one.
    """
    file = Path(path)
    if file.suffix == SUFFIX:
        return load_from_safetensors(file)
    if not file.is_file():
        raise FileNotFoundError(f"checkpoint {file} is not there")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(
            f"{file}: refused or unreadable: {first_sentence(error)}. A checkpoint "
            "holds tensors, numbers, strings and containers; load this one where you "
            "trust it, and save its state dict alone"
        ) from error
    except _BROKEN as error:
        raise ValueError(
            f"{file}: no checkpoint, or a damaged one ({type(error).__name__}: "
            f"{first_sentence(error)}); fetch or save it once more"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{file} holds a {type(content).__name__}, a checkpoint is a dict; save "
            "the model's state_dict()"
        )
    return content


def state_dict_of(
    checkpoint: dict[str, Any], path: str | PathLike[str]
) -> dict[str, Tensor]:
    """Take the state dict out of a checkpoint.

    Args:
        checkpoint: What :func:`read_checkpoint` gives.
        path: Its file, for messages.

    Returns:
        ``checkpoint["state_dict"]``.

    Raises:
        ValueError: If there is none, or an entry of it is no tensor.
    """
    state = checkpoint.get("state_dict")
    if not isinstance(state, dict) or not state:
        keys = sorted(map(str, checkpoint))[:8]
        raise ValueError(
            f"{path} has no `state_dict`, its keys are {keys}: "
            "give a checkpoint that MMEngine's Runner has written, or convert it with "
            "tools/convert_checkpoint.py"
        )
    other = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if other:
        raise ValueError(
            f"{path}: the entries {other[:5]} of its state dict are no tensors; remove "
            "them, they are no weights"
        )
    return dict(state)
