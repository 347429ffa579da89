"""Many decimal numbers out of a text at once, three times as fast as ``float``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_WIDTH = 16
PADDING = b" " * (_WIDTH + 1)
"""What the text given to :func:`parse_decimals` has to begin with."""

_ROW = np.dtype("V16")
# Row n has its last n bytes set.
_LAST_ROWS = (
    np.where(np.arange(_WIDTH) >= _WIDTH - np.arange(_WIDTH + 1)[:, None], 255, 0)
    .astype(np.uint8)
    .view(_ROW)
    .ravel()
)
_PLACE_VALUES = 10.0 ** np.arange(_WIDTH - 1, -1, -1)
_POWERS = 10.0 ** np.arange(_WIDTH + 1)
_MINUS, _DOT, _ZERO = b"-.0"


def parse_decimals(
    text: bytes, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Reads numbers, each to the very value that ``float`` gives.

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
        ValueError: If there is something that is not a number.
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
    one_dot_each = np.array_equal(dots // _WIDTH, np.arange(len(row)))
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
    num_digits = np.count_nonzero(is_digit)
    if one_dot_each and length.min() > 1 and num_digits == (length - 1).sum():
        return values
    plain = (is_dot.sum(axis=1) == 1) & (is_digit.sum(axis=1) == length - 1)
    for index in np.flatnonzero(~(plain & (length > 1))):  # no lone point
        # float() alone would take '1_0' as well.
        values[index] = float(text[start[index] : end[index]].replace(b"_", b"?"))
    return values


def _as_bytes(rows: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
    return rows.view(np.uint8).reshape(-1, _WIDTH)
