"""Numbers on a tool's command line; argparse makes its errors of what these raise."""

from __future__ import annotations

from argparse import ArgumentTypeError


def natural(text: str) -> int:
    """Read a whole number from 0 on."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def count(text: str) -> int:
    """Read a whole number from 1 on."""
    if not natural(text):
        raise ArgumentTypeError("must be 1 or more")
    return int(text)


def not_negative(text: str) -> float:
    """Read a finite number from 0 on."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number from 0 on")
    return value


def positive(text: str) -> float:
    """Read a finite number above 0."""
    if not not_negative(text):
        raise ArgumentTypeError("must be above 0")
    return float(text)


def cosine(text: str) -> float:
    """Read a number in [-1, 1]."""
    try:
        value = float(text)
    except ValueError:
        value = 2.0
    if not -1 <= value <= 1:
        raise ArgumentTypeError(f"{text!r} is no cosine, a number from -1 to 1")
    return value
