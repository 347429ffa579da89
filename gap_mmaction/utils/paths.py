"""Where the files are that ship with the project."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def find_shipped_file(path: str | Path) -> Path:
    """Find a file that a config names relative to the project's root.

    A path that exists as it stands is taken. Otherwise it is looked for beside the
    package (a checkout) and in its ``.mim`` folder (an installed wheel), so that
    configs work from any working directory.

    Args:
        path: A path such as ``data/descriptions/nwucla.yaml``.

    Returns:
        The first of these that exists, else ``path`` itself, for the caller's message.
    """
    path = Path(path)
    for root in (Path(), _PACKAGE.parent, _PACKAGE / ".mim"):
        if (root / path).exists():
            return root / path
    return path
