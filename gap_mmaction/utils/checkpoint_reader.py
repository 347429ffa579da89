"""Read checkpoints without running anything that is in them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .brief import brief
from .checkpoint_guard import first_sentence
from .safetensors_checkpoint import SUFFIX, load_from_safetensors

_MODULE = "module."
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


def weights_of(
    content: Mapping[str, Any], path: str | PathLike[str]
) -> dict[str, Tensor]:
    """Take the weights out of a file's content.

    Args:
        content: A state dict, or a dict with one under ``state_dict``.
        path: The file, for messages.

    Returns:
        The weights, without the ``module.`` that data-parallel training leaves.

    Raises:
        ValueError: If there are none, or an entry is no tensor.
    """
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping) or not state:
        raise ValueError(
            f"{path}: holds no weights; give a checkpoint that MMEngine's Runner has "
            "written, or save the model's state_dict()"
        )
    other = [str(key) for key, value in state.items() if not isinstance(value, Tensor)]
    if other:
        raise ValueError(
            f"{path}: the entries {brief(other[:8])} are no tensors, so this is no "
            "state dict; save the model's state_dict(), or put it under the key "
            "'state_dict'"
        )
    weights = {}
    for key, value in state.items():
        name = str(key)
        while name.startswith(_MODULE):
            name = name[len(_MODULE) :]
        weights[name] = value
    return weights
