"""Configs, and the option of command lines that replaces settings of them."""

from __future__ import annotations

import copy
import inspect
import re
from argparse import ArgumentParser, Namespace, _ActionsContainer
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Union

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from .config_keys import did_you_mean

ConfigSource = Union[str, "PathLike[str]", Config]

# Blanks that set off commas and brackets; all others are part of a value.
_SPACING = re.compile(r"^ +| +$| *([,\[\]()]) *")
_HIDDEN = "\0"


class ConfigAction(DictAction):
    """MMEngine's action; says what is wrong with a word, and keeps a value's blanks."""

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        """Reads a value; MMEngine takes all blanks out of it."""
        text = _SPACING.sub(lambda found: found[1] or "", val.strip("'\""))
        return _shown(DictAction._parse_iterable(text.replace(" ", _HIDDEN)))

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Reads ``KEY=VALUE`` words into a dict; ends with a message if one is none."""
        words = [values] if isinstance(values, str) else list(values or ())
        for word in words:
            if not str(word).partition("=")[0] or "=" not in str(word):
                parser.error(
                    f"{option_string}: {word!r} is not KEY=VALUE; there are no blanks "
                    "around the '='; a value with blanks is quoted, 'KEY=a b'"
                )
        super().__call__(parser, namespace, words, option_string)


def _shown(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_shown(item) for item in value)
    return value.replace(_HIDDEN, " ") if isinstance(value, str) else value


def add_cfg_options(parser: _ActionsContainer) -> None:
    """Adds mmengine's ``--cfg-options``, a dict or ``None`` when parsed."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=ConfigAction,
        metavar="KEY=VALUE",
        help="settings of the config to replace, e.g. train_cfg.max_epochs=40 "
        "model.text_branch=None 'key=[a,b]' 'key=a b'",
    )


def read_config(
    config: ConfigSource, options: Mapping[str, Any] | None = None
) -> Config:
    """Reads a config, or copies one, and merges the ``--cfg-options`` into it.

    Configs are code: a file is executed.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If it is neither.
        ValueError: If an option names nothing that the config has, but almost.
    """
    if isinstance(config, Config):
        read = copy.deepcopy(config)
    elif isinstance(config, (str, PathLike)):
        path = Path(config)
        if not path.is_file():
            near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.py")])
            raise FileNotFoundError(f"config {path} is not there{near}")
        read = Config.fromfile(config)
    else:
        raise TypeError(
            f"a config is a path or an mmengine Config, got {type(config).__name__}"
        )
    for key in options or ():
        # MMEngine adds misspelt names, and nothing ever reads them.
        name = key.partition(".")[0]
        known = name in read or name in inspect.signature(Runner.__init__).parameters
        near = "" if known else did_you_mean(name, list(read))
        if near:
            raise ValueError(f"--cfg-options {key}: the config has no {name!r}{near}")
    if options:
        read.merge_from_dict(dict(options))
    return read
