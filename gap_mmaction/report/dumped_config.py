"""The config of a run, read without running it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any


def parse_dumped_config(text: str, where: str | Path) -> dict[str, Any]:
    """Read a config that mmengine has dumped into a work dir.

    Such a file assigns literals and calls of ``dict`` to names. Nothing in it is
    executed: a run may be somebody else's.

    Args:
        text: The file's text.
        where: The file, for messages.

    Returns:
        The settings; what is no literal is given as its source text.

    Raises:
        ValueError: If it is no Python.
    """
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{where}: not a config ({error})") from error
    settings: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            settings[node.targets[0].id] = _value(node.value)
    return settings


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "dict" and not node.args:
            return {word.arg: _value(word.value) for word in node.keywords if word.arg}
    elif isinstance(node, ast.Dict):
        return {
            str(_value(key)): _value(value)
            for key, value in zip(node.keys, node.values)
            if key is not None
        }
    elif isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item) for item in node.elts]
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ast.unparse(node)


def lookup(settings: Any, path: str) -> Any:
    """Follow a path such as ``model.backbone.type``; None where it ends early."""
    for key in path.split("."):
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings
