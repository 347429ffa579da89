"""Read the settings out of a config's text, without executing it."""

from __future__ import annotations

import ast
from typing import Any


def parse_config_text(text: str) -> dict[str, Any]:
    """Read the assignments of a dumped config, as mmengine puts it into checkpoints.

    The text may be somebody else's and is parsed, not executed.

    Args:
        text: Assignments of ``dict(...)``, lists, tuples, strings and numbers.

    Returns:
        The settings by name. Those that are anything else are left out; a text that
        is no Python gives none at all.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    settings = {}
    for node in body:
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        target = node.targets[0]
        if isinstance(target, ast.Name):
            try:
                settings[target.id] = _value(node.value)
            except (ValueError, TypeError, RecursionError):
                continue
    return settings


def _value(node: ast.expr) -> Any:
    """Give the value of a literal.

    Raises:
        ValueError: If it is none.
    """
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "dict"
        and not node.args
        and all(keyword.arg for keyword in node.keywords)
    ):
        return {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict) and None not in node.keys:
        pairs = zip(node.keys, node.values)
        return {_value(key): _value(value) for key, value in pairs if key is not None}
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    return ast.literal_eval(node)
