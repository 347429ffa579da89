"""A table to read and a file to keep."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.version import __version__

COLUMNS = (
    "| work | ours ms | other ms | ratio | quartiles | ours MB | other MB | memory |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|"
)


def environment(device: torch.device) -> dict[str, Any]:
    """Say what was measured on."""
    name = platform.processor() or platform.machine()
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    return dict(
        device=name,
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__,
        gap_mmaction=__version__,
        system=platform.platform(),
    )


def format_row(row: Mapping[str, Any]) -> str:
    """Write a ``work`` and its summary as a row below :data:`COLUMNS`."""
    return (
        f"| {row['work']} | {row['ours_ms']:.1f} | {row['other_ms']:.1f} "
        f"| {row['ratio']:.2f} | {row['ratio_low']:.2f} - {row['ratio_high']:.2f} "
        f"| {_number(row['ours_mb'], 0)} | {_number(row['other_mb'], 0)} "
        f"| {_number(row['memory_ratio'], 2)} |"
    )


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a result, in full or not at all."""
    with atomic_file(path) as file:
        file.write(json.dumps(content, indent=2).encode() + b"\n")


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
