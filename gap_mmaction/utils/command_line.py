"""What the tools share: errors told in a line, numbers, and the text encoder."""

from __future__ import annotations

import functools
import math
import pickle
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .config_options import ConfigAction
from .paths import name_of_model

MainFunction = TypeVar("MainFunction", bound=Callable[..., int])

# What a user can cause; anything else is a fault of ours and keeps its traceback.
USER_ERRORS = (
    *(KeyError, ValueError, TypeError, OSError, RuntimeError, ImportError),
    *(FloatingPointError, pickle.UnpicklingError),
)


def tells_errors(main: MainFunction) -> MainFunction:
    """Decorates a tool's ``main``: a user's error is a line on stderr and exit code 1.

    See :data:`USER_ERRORS`.
    """

    @functools.wraps(main)
    def told(*args: object, **kwargs: object) -> int:
        try:
            return main(*args, **kwargs)
        except USER_ERRORS as error:
            # The text of a KeyError would be in quotes.
            text = error.args[0] if isinstance(error, KeyError) else error
            print(f"error: {text}", file=sys.stderr)
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
