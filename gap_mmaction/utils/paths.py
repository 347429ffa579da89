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


def find_description_file(name: str | Path) -> Path:
    """Find a description file by its path, or by its name if it ships.

    Args:
        name: A path, or a name without a suffix such as ``ntu120``.

    Returns:
        Where it is, see :func:`find_shipped_file`.
    """
    path = Path(name)
    if not path.suffix:
        path = Path(f"data/descriptions/{path}.yaml")
    return find_shipped_file(path)


def name_of_model(model: str) -> str:
    """Name a model in files, without a folder's place on this machine.

    Args:
        model: A folder, or a name on the hub.

    Returns:
        The folder's own and its parent's name, or the name as it is.
    """
    path = Path(model)
    return "/".join(path.resolve().parts[-2:]) if path.exists() else model
