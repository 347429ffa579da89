"""A floor of the package imports only from those below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gap_mmaction"

FLOORS = {
    "compat": 0,
    "version": 0,
    "openmmlab": 1,
    "utils": 1,
    "skeletons": 2,
    "datasets": 3,
    "models": 3,
    "engine": 4,
    "evaluation": 5,
    "apis": 6,
    "visualization": 7,
    "deploy": 8,
    "experiments": 8,
    "generation": 8,
}
# Beyond the order of the floors.
FORBIDDEN = {
    "utils": ("mmaction", "mmengine.registry"),
    "engine": ("gap_mmaction.models",),
}


def imports_of(path: Path) -> Iterator[str]:
    """Gives the modules that a file imports, by their full names."""
    package = path.relative_to(PACKAGE.parent).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str | None:
    root, *rest = module.split(".")
    return rest[0] if root == PACKAGE.name and rest else None


@pytest.mark.parametrize("room", FLOORS)
def test_imports_only_from_floors_below(room: str) -> None:
    single = PACKAGE / f"{room}.py"
    paths = [single] if single.exists() else sorted((PACKAGE / room).rglob("*.py"))
    assert paths
    wrong = []
    for path in paths:
        for module in imports_of(path):
            other = room_of(module)
            upward = other not in (None, room) and FLOORS.get(other, 0) >= FLOORS[room]
            forbidden = any(
                f"{module}.".startswith(f"{name}.") for name in FORBIDDEN.get(room, ())
            )
            if upward or forbidden:
                wrong.append(f"{path.relative_to(PACKAGE)}: {module}")
    assert not wrong


def test_every_room_has_a_floor() -> None:
    rooms = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or p.is_dir()}
    assert rooms - {"__init__", "__pycache__", ".mim"} == set(FLOORS)
