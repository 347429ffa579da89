"""Pictures in files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from .atomic_file import atomic_file


def save_png(figure: Figure, path: Path) -> None:
    """Write a picture, in full or not at all.

    Args:
        figure: The picture.
        path: The file; its folder is made.

    Raises:
        OSError: If it cannot be written.
    """
    with atomic_file(path) as stream:
        figure.savefig(stream, format="png", dpi=150, bbox_inches="tight")
