"""Versions of what runs depend on."""

from __future__ import annotations

import platform
import subprocess
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
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
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
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
