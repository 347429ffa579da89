"""Look at the opcodes of a pickle before it is read.

The unpickler of CPython keeps what a file refers to again in an array as long as the
largest index in it, whatever that is: the four bytes of one LONG_BINPUT opcode, of
which a single flipped bit is enough, make it fill up to 64 GiB. A pickler numbers them
one after the other, so that no index can be larger than its place in the file.
"""

from __future__ import annotations

import mmap
import pickle
import pickletools
from typing import Union

Buffer = Union[bytes, mmap.mmap]

_SPECIAL = 0
_LENGTH_WIDTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_STOP, _PUT, _LONG_BINPUT, _FRAME = b".pr\x95"
_MOST_DIGITS = 18


def _make_tables() -> tuple[list[int], dict[int, int], dict[int, int]]:
    """Tabulate the opcodes: whole length, width of a length, number of lines."""
    steps = [_SPECIAL] * 256
    widths: dict[int, int] = {}
    lines: dict[int, int] = {}
    for opcode in pickletools.opcodes:
        code = ord(opcode.code)
        if opcode.arg is None:
            steps[code] = 1
        elif opcode.arg.n >= 0:
            steps[code] = 1 + opcode.arg.n
        elif opcode.arg.n == pickletools.UP_TO_NEWLINE:
            lines[code] = 2 if opcode.arg.name.endswith("_pair") else 1
        else:
            widths[code] = _LENGTH_WIDTHS[opcode.arg.n]
    for code in (_STOP, _LONG_BINPUT, _FRAME):
        steps[code] = _SPECIAL
    return steps, widths, lines


_STEPS, _WIDTHS, _LINES = _make_tables()


def scan_pickle(data: Buffer, position: int = 0) -> int:
    """Go through the opcodes of one pickle.

    Args:
        data: What holds the pickle.
        position: Where it begins.

    Returns:
        Where it ends. What is no opcode ends the scan too; the unpickler says more.

    Raises:
        pickle.UnpicklingError: If it is cut short, or has an index that no pickler
            would have given.
    """
    size = len(data)
    start = position
    steps = _STEPS
    while position < size:
        code = data[position]
        step = steps[code]
        if step:
            position += step
        elif code == _STOP:
            return position + 1
        elif code == _LONG_BINPUT:
            index = int.from_bytes(data[position + 1 : position + 5], "little")
            _check_index(index, position - start)
            position += 5
        elif code == _FRAME:
            length = int.from_bytes(data[position + 1 : position + 9], "little")
            if length > size - position:
                break
            position += 9
        elif code in _WIDTHS:
            end = position + 1 + _WIDTHS[code]
            position = end + int.from_bytes(data[position + 1 : end], "little")
        elif code in _LINES:
            position = _skip_lines(data, position, start)
        else:
            return position
    raise pickle.UnpicklingError("it ends in the middle")


def _skip_lines(data: Buffer, position: int, start: int) -> int:
    """Go past an opcode whose arguments are lines of text."""
    code = data[position]
    end = position
    for _ in range(_LINES[code]):
        end = data.find(b"\n", end + 1)
        if end < 0:
            return len(data)
    if code == _PUT:
        text = data[position + 1 : end].strip()
        # Text that is no number is the unpickler's to refuse.
        if text.isdigit():
            index = int(text) if len(text) <= _MOST_DIGITS else len(data)
            _check_index(index, position - start)
    return end + 1


def _check_index(index: int, place: int) -> None:
    if index > place:
        raise pickle.UnpicklingError(
            f"the number {index} for an object, of which there are not as many"
        )
