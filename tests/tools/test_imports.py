"""Tools run as scripts: what patches ``mmaction.models`` is imported before it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


def modules(file: Path) -> list[str]:
    """List the modules that a script imports when it starts, in order."""
    names = []
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(str(node.module))
    return names


@pytest.mark.parametrize(
    "file", sorted(TOOLS.rglob("*.py")), ids=lambda file: str(file.relative_to(TOOLS))
)
def test_patches_come_first(file: Path) -> None:
    before: list[str] = []
    for name in modules(file):
        if name.startswith("mmaction.models"):
            assert any(other.startswith("gap_mmaction") for other in before)
        before.append(name)
