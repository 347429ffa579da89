"""A table to read and a file to keep."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.version import __version__

COLUMNS = "| work | ours ms | other ms | ratio | quartiles | ours MB | other MB |"


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


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows, each a ``work`` and a summary, as a Markdown table."""
    lines = [COLUMNS, "|---|" + "---:|" * 6]
    for row in rows:
        lines.append(
            f"| {row['work']} | {row['ours_ms']:.0f} | {row['other_ms']:.0f} "
            f"| {row['ratio']:.2f} | {row['ratio_low']:.2f} - {row['ratio_high']:.2f} "
            f"| {_memory(row['ours_mb'])} | {_memory(row['other_mb'])} |"
        )
    return "\n".join(lines)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a result, in full or not at all."""
    with atomic_file(path) as file:
        file.write(json.dumps(content, indent=2).encode() + b"\n")


def _memory(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
