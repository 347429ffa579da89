"""What the tools share: errors told in a line, numbers, and the text encoder."""

from __future__ import annotations

import functools
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

    Args:
        main: Returns an exit code.

    Returns:
        The function, which prints ``error: ...`` in place of raising one of
        :data:`USER_ERRORS`.
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


def natural(text: str) -> int:
    """Reads a whole number from 0 on."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def count(text: str) -> int:
    """Reads a whole number from 1 on."""
    if not natural(text):
        raise ArgumentTypeError("must be 1 or more")
    return int(text)


def not_negative(text: str) -> float:
    """Reads a finite number from 0 on."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number from 0 on")
    return value


def positive(text: str) -> float:
    """Reads a finite number above 0."""
    if not not_negative(text):
        raise ArgumentTypeError("must be above 0")
    return float(text)


def cosine(text: str) -> float:
    """Reads a number in [-1, 1]."""
    try:
        value = float(text)
    except ValueError:
        value = 2.0
    if not -1 <= value <= 1:
        raise ArgumentTypeError(f"{text!r} is no cosine, a number from -1 to 1")
    return value


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
