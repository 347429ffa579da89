"""Write checkpoints whose names carry their hash."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.safetensors_checkpoint import SUFFIX, dump_safetensors

SUFFIXES = (".pth", SUFFIX)
_HASH_DIGITS = 8


def dump_checkpoint(
    state_dict: Mapping[str, Tensor], meta: Mapping[str, Any], suffix: str
) -> bytes:
    """Write a checkpoint into bytes.

    Args:
        state_dict: The model's.
        meta: What the checkpoint says of itself.
        suffix: ``".pth"`` for ``torch.save``, as mmengine and mmaction2 read it, or
            ``".safetensors"``.

    Raises:
        ValueError: If the suffix is another one.
    """
    check_suffix(suffix)
    if suffix == SUFFIX:
        return dump_safetensors(state_dict, meta)
    stream = io.BytesIO()
    torch.save({"meta": dict(meta), "state_dict": OrderedDict(state_dict)}, stream)
    return stream.getvalue()


def check_suffix(suffix: str) -> None:
    """Check the suffix of a file that is to be written.

    Raises:
        ValueError: If no checkpoint is written under it.
    """
    if suffix not in SUFFIXES:
        raise ValueError(
            f"the file ends in {suffix!r}, name it {' or '.join(SUFFIXES)} for the "
            "form that it shall have"
        )


def sha256_of(content: bytes) -> str:
    """Give a file's SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def hashed_name(path: Path, sha256: str) -> Path:
    """Put a hash into a file's name, as mmengine and mmaction2 do.

    Examples:
        >>> hashed_name(Path("gap.pth"), "0123456789abcdef").name
        'gap-01234567.pth'
    """
    return path.with_name(f"{path.stem}-{sha256[:_HASH_DIGITS]}{path.suffix}")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, in full or not at all."""
    with atomic_file(path) as stream:
        stream.write(content)
