"""Versions of what runs depend on."""

from __future__ import annotations

import platform
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import gap_mmaction

_PACKAGES = (
    *("torch", "numpy", "mmengine", "mmcv", "mmcv-lite", "mmaction2"),
    *("transformers", "open_clip_torch"),
)


def collect_versions() -> dict[str, str]:
    """Returns the versions of the project, of Python and of the packages, by name.

    ``commit`` is that of a git checkout, with ``+`` if files have changed.
    """
    versions = {
        "gap_mmaction": gap_mmaction.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    root = Path(gap_mmaction.__file__).resolve().parents[1]
    commit = _git(root, "rev-parse", "HEAD")
    if commit:
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
        versions["commit"] = f"{commit}+" if changed else commit
    return versions


def _git(root: Path, *arguments: str) -> str:
    """Asks git about the checkout; nothing outside one."""
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), *arguments]
    try:
        told = subprocess.check_output(
            command, stderr=subprocess.DEVNULL, text=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.strip()
