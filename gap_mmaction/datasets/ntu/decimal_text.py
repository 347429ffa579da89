"""Many decimal numbers out of a text at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gap_mmaction.utils.brief import brief

_WIDTH = 16
PADDING = b" " * (_WIDTH + 1)
"""What the text given to :func:`parse_decimals` has to begin with."""

_ROW = np.dtype("V16")
# Row n has its last n bytes set.
_LAST = np.where(
    np.arange(_WIDTH) >= _WIDTH - np.arange(_WIDTH + 1)[:, None], 255, 0
).astype(np.uint8)
_LAST_ROWS = _LAST.view(_ROW).ravel()
_PLACE_VALUES = 10.0 ** np.arange(_WIDTH - 1, -1, -1)
_POWERS = 10.0 ** np.arange(_WIDTH + 1)

_MINUS, _DOT, _ZERO = 45, 46, 48


class DecimalError(ValueError):
    """A token that is not a number.

    Attributes:
        index: Which of the tokens it is.
        token: The token.
    """

    def __init__(self, index: int, token: str) -> None:
        super().__init__(f"{brief(token)} is not a number")
        self.index = index
        self.token = token


def parse_decimals(
    text: bytes, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Read numbers, each to the very value that ``float`` gives.

    Numbers of the form ``-12.345`` with at most 15 digits, that is all but a few, are
    read together: their digits make an integer below 2**53 and thus an exact float64,
    and one division by a power of ten (exact as well up to 1e22) is rounded once. Any
    other goes through ``float``.

    Args:
        text: ASCII text that begins with ``PADDING``.
        start: ``[n]``, where each number begins.
        end: ``[n]``, where each ends, exclusive; later than ``start``.

    Returns:
        float64 ``[n]``.

    Raises:
        DecimalError: At the first token that is not a number.
    """
    codes = np.frombuffer(text, np.uint8)
    negative = codes[start] == _MINUS
    length = end - start - negative
    clipped = np.minimum(length, _WIDTH)

    # All stretches of 16 bytes of the text: a row for each number that ends with its
    # last byte, and one that ends a byte earlier. The digits before the point come
    # from the latter, which moves them onto the place of the point.
    stretches = np.ndarray((len(text) - _WIDTH + 1,), _ROW, text, strides=(1,))
    row = _as_bytes(stretches[end - _WIDTH])
    moved = _as_bytes(stretches[end - _WIDTH - 1])
    row &= _as_bytes(_LAST_ROWS[clipped])
    is_dot = row == _DOT
    dots = np.flatnonzero(is_dot)
    one_dot_each = len(dots) == len(row) and bool(
        (dots // _WIDTH == np.arange(len(row))).all()
    )
    dots = dots % _WIDTH if one_dot_each else is_dot.argmax(axis=1)
    num_decimals = _WIDTH - 1 - dots
    decimals = _as_bytes(_LAST_ROWS[num_decimals])
    places = _as_bytes(_LAST_ROWS[np.maximum(clipped - 1, 0)])
    digits = ((row & decimals) | (moved & places & ~decimals)) - np.uint8(_ZERO)
    is_digit = digits < 10
    digits &= places

    values: npt.NDArray[np.float64] = digits.astype(np.float64) @ _PLACE_VALUES
    values /= _POWERS[num_decimals]
    np.negative(values, out=values, where=negative)
    if (
        one_dot_each
        and length.min() > 1  # no lone point
        and np.count_nonzero(is_digit) == length.sum() - len(length)
    ):
        return values
    plain = (is_dot.sum(axis=1) == 1) & (is_digit.sum(axis=1) == length - 1)
    plain &= length > 1
    for index in np.flatnonzero(~plain):
        values[index] = _float(text[start[index] : end[index]], int(index))
    return values


def _as_bytes(rows: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
    return rows.view(np.uint8).reshape(-1, _WIDTH)


def _float(token: bytes, index: int) -> float:
    try:
        if b"_" not in token:  # which float would skip
            return float(token)
    except ValueError:
        pass
    raise DecimalError(index, token.decode("ascii", "replace"))
