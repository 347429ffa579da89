"""The settings in a config's text, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from os import PathLike
from typing import Any

_NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)


def parse_config_text(text: str, where: str | PathLike[str]) -> dict[str, Any]:
    """Reads a config that mmengine has dumped, into a work dir or a checkpoint.

    Such a text assigns literals and calls of ``dict`` to names. Nothing in it is
    executed: a run may be somebody else's. What is no literal is given as its text.

    Raises:
        ValueError: If it is no Python.
    """
    try:
        module = ast.parse(text)
    except _NO_PYTHON as error:
        raise ValueError(f"{where}: not a config ({error})") from error
    return {
        node.targets[0].id: _value(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _value(node: ast.expr) -> Any:
    try:
        if isinstance(node, (ast.List, ast.Tuple)):
            items = [_value(item) for item in node.elts]
            return items if isinstance(node, ast.List) else tuple(items)
        if isinstance(node, ast.Dict) and all(node.keys):
            pairs = zip(filter(None, node.keys), node.values)
            return {ast.literal_eval(key): _value(value) for key, value in pairs}
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "dict":
            # dict(a=1) and, for keys that are no names, dict({'a-b': 1}, c=2).
            read = _value(node.args[0]) if node.args else {}
            named = all(word.arg for word in node.keywords)
            if isinstance(read, dict) and named and len(node.args) <= 1:
                return {**read, **{w.arg: _value(w.value) for w in node.keywords}}
        return ast.literal_eval(node)
    except (*_NO_PYTHON, TypeError):
        return ast.unparse(node)


def lookup(settings: Any, path: str) -> Any:
    """Follows a path such as ``model.backbone.type``; None where it ends early."""
    for key in path.split("."):
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Turns nested dicts, also those in lists, into one with dotted keys."""
    if isinstance(value, (list, tuple)) and all(isinstance(v, Mapping) for v in value):
        value = dict(enumerate(value)) or value
    if not isinstance(value, Mapping) or not value:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat.update(flatten(item, f"{prefix}.{key}" if prefix else str(key)))
    return flat


def differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Writes a line for each setting that differs, both :func:`flatten`-ed."""
    return [
        f"{key} is {left!r} there, {right!r} is asked for"
        for key in dict.fromkeys((*there, *asked))
        if (left := there.get(key, "not set")) != (right := asked.get(key, "not set"))
    ]
