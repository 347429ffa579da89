"""Where in a config a setting stands that a class does not take."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import mmaction.registry
from mmengine.config import Config
from mmengine.registry import Registry

from gap_mmaction.utils.config_keys import did_you_mean

_UNEXPECTED = re.compile(
    r"(\w+)\.__init__\(\) got an unexpected keyword argument '([^']+)'"
)


@contextmanager
def named_settings(config: Config) -> Iterator[None]:
    """Names the place of a setting that a class refuses, in the whole config.

    Raises:
        TypeError: In place of Python's, with the path of the setting in the config,
            what the class takes, and which of that it may have meant.
    """
    try:
        yield
    except TypeError as error:
        found = _UNEXPECTED.search(str(error))
        if found is None:
            raise
        kind, key = found.groups()
        found_at = [
            (f"{path}{key}", _name_of_type(settings))
            for path, settings in _dicts(dict(config.items()))
            if key in settings
        ]
        # Some dicts have no type: what they are for is known where they are used.
        places = [path for path, name in found_at if name == kind]
        places = places or [path for path, name in found_at if name is None]
        if not places:
            raise
        takes = _arguments(kind)
        near = did_you_mean(key, takes)
        what = f"{kind} takes {takes}" if takes else f"{kind} does not take it"
        where = " or ".join(places)
        raise TypeError(f"{where}: unknown setting{near}; {what}") from error


def unknown_settings(settings: Any) -> Iterator[str]:
    """Yields a line for each setting that its class does not take.

    Classes that take any setting, or are not known, are left out.
    """
    for place, found in _dicts(settings):
        kind = _name_of_type(found)
        takes = [] if kind is None else _arguments(kind, only_strict=True)
        for key in found if takes else ():
            if key not in (*takes, "type", "_scope_"):
                near = did_you_mean(key, takes)
                yield f"{place}{key}: unknown setting{near}; {kind} takes {takes}"


def _dicts(settings: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields every dict of a config, with its path."""
    items: Any = ()
    if isinstance(settings, Mapping):
        yield path, settings
        items = settings.items()
    elif isinstance(settings, (list, tuple)):
        items = enumerate(settings)
    for name, value in items:
        yield from _dicts(value, f"{path}{name}.")


def _name_of_type(settings: Mapping[str, Any]) -> str | None:
    kind = settings.get("type")
    name: str | None = getattr(kind, "__name__", kind)
    return name


def _arguments(kind: str, only_strict: bool = False) -> list[str]:
    """Lists what a registered class takes, if it is known.

    With ``only_strict``, nothing either if it takes any setting.
    """
    everything = vars(mmaction.registry).values()
    own = [item for item in everything if isinstance(item, Registry)]
    for registry in (*own, *(item.parent for item in own if item.parent is not None)):
        # Not by `get`, which imports all that a registry may have.
        found = registry.module_dict.get(kind)
        if isinstance(found, type):
            parameters = inspect.signature(found).parameters.values()
            rest = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
            if only_strict and any(item.kind is rest[0] for item in parameters):
                return []
            return [item.name for item in parameters if item.kind not in rest]
    return []
