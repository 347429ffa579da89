"""Checkpoints, read without running anything that is in them."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .brief import brief
from .safetensors_checkpoint import SUFFIX, load_from_safetensors

_MODULE = re.compile(r"^(module\.)+")
_REFUSED = re.compile(r"(?:GLOBAL|global:?) ([\w.]+)")
_UNPICKLER = re.compile(r"WeightsUnpickler error: ([^\n]*)")
_LONGEST = 300


@contextmanager
def named_errors(path: str | PathLike[str]) -> Iterator[None]:
    """Turns whatever reading a file of weights in the context raises into one error.

    Raises:
        pickle.UnpicklingError: If the file asks for more than tensors, numbers and
            containers, or is broken.
        OSError: As it came, if the file cannot be opened or fetched.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # there is no end of what torch.load raises
        found = _REFUSED.search(str(error))
        reason = (
            f"it asks for {brief(found[1])}, which weights do not need and which could "
            "run code"
            if found is not None and isinstance(error, pickle.UnpicklingError)
            else f"{type(error).__name__}: {_first_sentence(error)}"
        )
        raise pickle.UnpicklingError(
            f"{fspath(path)}: refused or unreadable: {reason}. A file of weights holds "
            "tensors, numbers, strings and containers; docs/security.md says what to "
            "do with others"
        ) from error


def _first_sentence(error: Exception) -> str:
    """Takes what was wrong out of what torch says, without its advice."""
    text = str(error)
    # What torch says before it is the advice to switch the check off.
    found = _UNPICKLER.search(text)
    if found is not None:
        text = found[1]
    elif "weights_only" in text:
        text = "not in the form in which torch.save writes weights"
    lines = text.strip().splitlines()
    return lines[0][:_LONGEST].rstrip(". ") if lines else "no reason given"


def check_content(checkpoint: Any) -> Any:
    """Returns a checkpoint without what would be run; it is changed in place.

    Raises:
        pickle.UnpicklingError: If it is no dict, or its state dict is none.
    """
    if not isinstance(checkpoint, dict):
        raise pickle.UnpicklingError(
            f"it holds a {type(checkpoint).__name__}, not a dict of weights"
        )
    state = checkpoint.get("state_dict", {})
    if not isinstance(state, Mapping):
        raise pickle.UnpicklingError(
            f"its state_dict is a {type(state).__name__}, not a dict of weights"
        )
    meta = checkpoint.get("meta")
    if isinstance(meta, dict):
        # MMEngine's Runner.resume would run it.
        meta.pop("config", None)
    return checkpoint


def read_checkpoint(path: str | PathLike[str]) -> dict[str, Any]:
    """Reads a checkpoint file to the CPU; as a rule it has ``state_dict`` and ``meta``.

    It is a ``.safetensors`` file, or what ``torch.save`` has written, read with
    ``weights_only`` and the allow-list of :mod:`gap_mmaction.compat`.

    Raises:
        FileNotFoundError: If it is not there.
        pickle.UnpicklingError: If it asks for more than tensors, containers and what
            mmengine writes, or is broken.
        ValueError: If it is no dict, or a damaged safetensors file.
    """
    file = Path(path)
    if file.suffix == SUFFIX:
        return load_from_safetensors(file)
    if not file.is_file():
        raise FileNotFoundError(f"checkpoint {file} is not there")
    with named_errors(file):
        content = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise ValueError(
            f"{file} holds a {type(content).__name__}, a checkpoint is a dict; save "
            "the model's state_dict()"
        )
    return content


def weights_of(
    content: Mapping[str, Any], path: str | PathLike[str]
) -> dict[str, Tensor]:
    """Takes the weights out of a state dict, or a dict with one under ``state_dict``.

    The ``module.`` that data-parallel training leaves is taken from their names.
    Messages name ``path``.

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
    return {_MODULE.sub("", str(key)): value for key, value in state.items()}
