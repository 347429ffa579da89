"""What the tools share: errors told in a line, options, configs, the text encoder."""

from __future__ import annotations

import copy
import functools
import inspect
import math
import pickle
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _ActionsContainer
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar, Union

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from .config_parts import did_you_mean
from .files import name_of_model

ConfigSource = Union[str, "PathLike[str]", Config]

# Blanks that set off commas and brackets; all others are part of a value.
_SPACING = re.compile(r"^ +| +$| *([,\[\]()]) *")
_HIDDEN = "\0"

MainFunction = TypeVar("MainFunction", bound=Callable[..., int])

# What a user can cause; anything else is a fault of ours and keeps its traceback.
USER_ERRORS = (
    *(KeyError, ValueError, TypeError, OSError, RuntimeError, ImportError),
    *(FloatingPointError, pickle.UnpicklingError),
)


def text_of(error: Exception) -> str:
    """Returns what an error says; a KeyError itself would put that in quotes."""
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)


def tells_errors(main: MainFunction) -> MainFunction:
    """Decorates a tool's ``main``: a user's error is a line on stderr and exit code 1.

    See :data:`USER_ERRORS`.
    """

    @functools.wraps(main)
    def told(*args: object, **kwargs: object) -> int:
        try:
            return main(*args, **kwargs)
        except USER_ERRORS as error:
            print(f"error: {text_of(error)}", file=sys.stderr)
            return 1

    return told  # type: ignore[return-value]


def _number(
    kind: type[float], least: float, message: str, most: float = sys.float_info.max
) -> Callable[[str], Any]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise ArgumentTypeError(message.format(text))
        return value

    return read


# For argparse's `type`.
natural = _number(int, 0, "{!r} is no whole number from 0 on")
count = _number(int, 1, "must be 1 or more")
not_negative = _number(float, 0, "{!r} is no number from 0 on")
positive = _number(float, math.ulp(0.0), "must be above 0")
cosine = _number(float, -1, "{!r} is no cosine, a number from -1 to 1", most=1)


def add_encoder_arguments(
    parser: ArgumentParser, purpose: str, *, required: bool = False
) -> None:
    """Adds ``--encoder``, with ``purpose`` as its help, and ``--encoder-options``."""
    parser.add_argument("--encoder", required=required, help=purpose)
    parser.add_argument(
        "--encoder-options",
        nargs="+",
        action=ConfigAction,
        default={},
        help="its arguments, e.g. model=bert-base-uncased pooling=mean",
    )


def check_encoder_arguments(parser: ArgumentParser, args: Namespace) -> None:
    """Ends with an error where there are options of no encoder."""
    if args.encoder_options and not args.encoder:
        parser.error("--encoder-options goes with --encoder")


def without_place(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an encoder's config, a model in a folder by the end of its path."""
    described = dict(options)
    if described.get("model"):
        described["model"] = name_of_model(str(described["model"]))
    return described


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
        try:
            read.merge_from_dict(dict(options))
        except (TypeError, KeyError, AssertionError) as error:
            what = f"--cfg-options {' '.join(options)}: does not fit the config"
            raise ValueError(f"{what} ({error})") from error
    return read
