"""The keys of a config, checked against what a class takes."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any


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
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
