"""Parts of configs: keys that a class takes, data sets, settings read from a text."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any, NamedTuple

_NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)


def check_keys(
    build: Callable[..., Any], config: Mapping[str, Any], where: str
) -> None:
    """Checks that a config names arguments of a class, and all that it needs.

    A class with ``**kwargs`` takes any key. Messages call the config ``where``.

    Raises:
        TypeError: If a key is unknown or one is missing.
    """
    parameters = dict(inspect.signature(build).parameters)
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for key in config:
        if key != "type" and key not in parameters:
            raise TypeError(
                f"{where}: unknown key {key!r}{did_you_mean(key, parameters)}; "
                f"{build.__name__} takes {list(parameters)}"
            )
    needed = (
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind is not parameter.VAR_POSITIONAL
    )
    missing = [name for name in needed if name not in config]
    if missing:
        raise TypeError(f"{where}: {build.__name__} needs {missing}, set it")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns `` (did you mean ...?)``, or nothing where no known word is near."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), list(names), n=1)
    return f" (did you mean {names[near[0]]!r}?)" if near else ""


class LoaderData(NamedTuple):
    """A data set in the config of a dataloader."""

    settings: dict[str, Any]  # empty where there is none
    keys: tuple[str, ...]  # that lead to it from the loader's config
    times: int  # that those around it (``RepeatDataset``) repeat it


def innermost_data(loader: Any) -> LoaderData:
    """Finds the data set in ``RepeatDataset`` and its like in a dataloader's config."""
    found, times = loader, 1
    keys: tuple[str, ...] = ()
    while isinstance(found, Mapping) and isinstance(found.get("dataset"), Mapping):
        found = found["dataset"]
        keys = (*keys, "dataset")
        if isinstance(found.get("dataset"), Mapping):
            repeated = found.get("times", 1)
            times *= repeated if isinstance(repeated, int) else 1
    return LoaderData(dict(found) if keys else {}, keys, times)


def annotated_data(config: Mapping[str, Any], loader: str) -> LoaderData:
    """Finds the annotated data set of a loader, such as ``train_dataloader``.

    Raises:
        ValueError: If the config has no such data set.
    """
    data = innermost_data(config.get(loader))
    if "ann_file" not in data.settings:
        raise ValueError(
            f"the config names no annotations ({loader}.dataset.ann_file, or that of a "
            "data set within it); set them there, or give --ann-file"
        )
    return data


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
