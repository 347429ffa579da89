"""Checkpoints as safetensors: tensors and a text, nothing that could be executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

SUFFIX = ".safetensors"
_META = "gap_mmaction.meta"


def dump_safetensors(
    state_dict: Mapping[str, Tensor], meta: Mapping[str, Any]
) -> bytes:
    """Writes a checkpoint into bytes.

    Raises:
        TypeError: If ``meta`` holds what neither JSON takes nor is of numpy.
    """
    # Safetensors refuses tensors that share memory, as an encoder's tied weights do.
    tensors = {
        key: value.detach().clone().contiguous() for key, value in state_dict.items()
    }
    text = json.dumps(dict(meta), default=_plain)
    # One entry only: safetensors writes several in an order of chance, and the same
    # weights would not give the same hash.
    return save(tensors, {_META: text})


def _plain(value: Any) -> Any:
    """Returns what JSON takes for an array or a number of numpy."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(
        f"the checkpoint's meta holds a {type(value).__name__}, which has no place in "
        "a safetensors file; write a .pth file instead"
    )


def load_from_safetensors(
    filename: str | PathLike[str], map_location: Any = None
) -> dict[str, Any]:
    """Reads a checkpoint to the CPU: its ``state_dict`` and its ``meta``, or ``{}``.

    The file may be another project's. ``map_location`` is mmengine's and not used.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no safetensors file, or a damaged one.
    """
    path = Path(filename)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path} is not there")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            state_dict = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no readable safetensors file ({error}); fetch it once more, or "
            "publish it again with tools/publish_model.py"
        ) from error
    try:
        meta = json.loads(header.get(_META, "{}"))
    except ValueError:
        meta = None
    if not isinstance(meta, dict):
        raise ValueError(f"{path}: {_META} in its header is no JSON object")
    return {"meta": meta, "state_dict": state_dict}


def register_loader() -> None:
    """Lets mmengine read safetensors wherever a config or a tool names a local file."""
    from mmengine.runner import CheckpointLoader  # checkpoints are read without it too

    # mmengine matches names with patterns, that of any other local file being the last.
    pattern = rf"(?!.*://).*\{SUFFIX}$"
    CheckpointLoader.register_scheme(pattern, load_from_safetensors, force=True)
