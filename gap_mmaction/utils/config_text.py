"""The settings in a config's text, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from os import PathLike
from typing import Any

_NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
_NO_LITERAL = (*_NO_PYTHON, TypeError)


def parse_config_text(text: str, where: str | PathLike[str]) -> dict[str, Any]:
    """Read a config that mmengine has dumped, into a work dir or a checkpoint.

    Such a text assigns literals and calls of ``dict`` to names. Nothing in it is
    executed: a run may be somebody else's.

    Args:
        text: The text.
        where: Where it is from, for messages.

    Returns:
        The settings by name; what is no literal is given as its source text.

    Raises:
        ValueError: If it is no Python.
    """
    try:
        module = ast.parse(text)
    except _NO_PYTHON as error:
        raise ValueError(f"{where}: not a config ({error})") from error
    settings: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            settings[node.targets[0].id] = _value(node.value)
    return settings


def lookup(settings: Any, path: str) -> Any:
    """Follow a path such as ``model.backbone.type``; None where it ends early."""
    for key in path.split("."):
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings


def differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Compare settings.

    Args:
        there: What was set, by dotted names as :func:`flatten` gives them.
        asked: What is to be set.

    Returns:
        A line for each that differs.
    """
    return [
        f"{key} is {left!r} there, {right!r} is asked for"
        for key in dict.fromkeys((*there, *asked))
        if (left := there.get(key, "not set")) != (right := asked.get(key, "not set"))
    ]


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Turn nested dicts, also those in lists, into one with dotted keys."""
    if isinstance(value, (list, tuple)) and all(isinstance(v, Mapping) for v in value):
        value = dict(enumerate(value)) or value
    if not isinstance(value, Mapping) or not value:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat.update(flatten(item, f"{prefix}.{key}" if prefix else str(key)))
    return flat


def _value(node: ast.expr) -> Any:
    try:
        return _literal(node)
    except _NO_LITERAL:
        return ast.unparse(node)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values)
        return {ast.literal_eval(_key(key)): _value(value) for key, value in pairs}
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_value(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _dict(node)
    return ast.literal_eval(node)


def _dict(node: ast.Call) -> dict[Any, Any]:
    """Read ``dict(a=1)`` and, for keys that are no names, ``dict({'a-b': 1}, c=2)``."""
    if ast.unparse(node.func) != "dict" or len(node.args) > 1:
        raise ValueError("a call of something else")
    read = _literal(node.args[0]) if node.args else {}
    if not isinstance(read, dict):
        raise ValueError("a dict of something else")
    for word in node.keywords:
        if word.arg is None:
            raise ValueError("names that only running it would tell")
        read[word.arg] = _value(word.value)
    return read


def _key(node: ast.expr | None) -> ast.expr:
    if node is None:
        raise ValueError("keys that only running it would tell")
    return node
