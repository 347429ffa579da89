"""Where the files are that ship with the project."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def find_shipped_file(path: str | Path) -> Path:
    """Finds a file that a config names relative to the project's root.

    Returns:
        The first that exists of the path as it stands, beside the package (a checkout),
        and in its ``.mim`` folder (a wheel), so that configs work from any working
        directory; else ``path`` itself, for the caller's message.
    """
    path = Path(path)
    for root in (Path(), _PACKAGE.parent, _PACKAGE / ".mim"):
        if (root / path).exists():
            return root / path
    return path


def find_description_file(name: str | Path) -> Path:
    """Finds a description file by its path, or by a name without suffix if it ships."""
    path = Path(name)
    if not path.suffix:
        path = Path(f"data/descriptions/{path}.yaml")
    return find_shipped_file(path)


def name_of_model(model: str) -> str:
    """Names a model, a folder by its own and its parent's name, without its place."""
    path = Path(model)
    return "/".join(path.resolve().parts[-2:]) if path.exists() else model
