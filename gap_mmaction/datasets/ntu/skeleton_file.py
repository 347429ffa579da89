"""Reader of ``.skeleton`` files, the raw text of NTU RGB+D.

The text: number of frames; for each frame the number of bodies; for each body a line
of 10 fields that begins with its id, the number of joints (25) and a line of 12 fields
for each joint, of which the first three are x, y and z in metres.
"""

from __future__ import annotations

import re
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from gap_mmaction.datasets.ntu.body import Body
from gap_mmaction.datasets.ntu.decimal_text import (
    PADDING,
    DecimalError,
    parse_decimals,
)
from gap_mmaction.datasets.ntu.raw_sequence import RawSequence

_NUM_JOINTS = 25
_BODY_FIELDS = 10
_JOINT_FIELDS = 12
_AXES = 3
_MOST_DIGITS = 18
_SPACE, _NEWLINE = 32, 10
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


def parse_skeleton(data: bytes, where: str) -> RawSequence:
    """Read the text of one recording.

    Args:
        data: The content of the file, with line ends of any system.
        where: Its path, for error messages.

    Returns:
        The bodies, with coordinates of the same float32 values as the reference's
        (decimal text to float64 to float32).

    Raises:
        ValueError: If the text is cut short or not of the form above, or a coordinate
            is not a finite number; the message has the line, from 1.
    """
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = data.split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    num_frames = _read_count(lines, 0, "the number of frames", where)
    position = 1
    joint_lines: list[bytes] = []
    first_lines: list[int] = []  # of each body in each frame
    rows_of: dict[bytes, list[int]] = {}
    frame_of_row: list[int] = []
    kept = 0
    for frame in range(num_frames):
        what = f"the number of bodies of frame {frame + 1} of {num_frames}"
        num_bodies = _read_count(lines, position, what, where)
        position += 1
        for _ in range(num_bodies):
            _check_body(lines, position, where)
            rows_of.setdefault(lines[position].split(None, 1)[0], []).append(
                len(frame_of_row)
            )
            frame_of_row.append(kept)
            first_lines.append(position + 2)
            joint_lines += lines[position + 2 : position + 2 + _NUM_JOINTS]
            position += 2 + _NUM_JOINTS
        kept += num_bodies > 0
    joints = _parse_joints(joint_lines, first_lines, where)
    frames = np.array(frame_of_row, dtype=np.int64)
    bodies = [
        Body(identity.decode("ascii", "replace"), joints[rows], frames[rows])
        for identity, rows in rows_of.items()
    ]
    num_extra = sum(1 for line in lines[position:] if line.strip())
    return RawSequence(bodies, kept, num_frames - kept, num_extra)


def _read_count(lines: list[bytes], position: int, what: str, where: str) -> int:
    if position >= len(lines):
        _raise_truncated(lines, what, where)
    text = lines[position].strip()
    # int() alone would take '1_0' as well.
    if not text.isdigit() or len(text) > _MOST_DIGITS:
        _raise_malformed(lines, position, what, where)
    return int(text)


def _check_body(lines: list[bytes], position: int, where: str) -> None:
    """Check the two lines before the joints, and that the joints are there."""
    if position + 2 + _NUM_JOINTS > len(lines):
        # An error before the last line, if there is one, says more.
        last = len(lines) - 1
        if position < last:
            _check_head(lines, position, where)
        if position + 1 < last:
            _check_joint_count(lines, position + 1, where)
        for line in range(position + 2, last):
            _check_joint(lines[line], line, where)
        _raise_truncated(lines, "a body with its joints", where)
    _check_head(lines, position, where)
    _check_joint_count(lines, position + 1, where)


def _check_head(lines: list[bytes], position: int, where: str) -> None:
    if len(lines[position].split()) != _BODY_FIELDS:
        what = f"the {_BODY_FIELDS} fields of a body"
        _raise_malformed(lines, position, what, where)


def _check_joint_count(lines: list[bytes], position: int, where: str) -> None:
    if lines[position].strip() != b"25":
        what = f"the number of joints, {_NUM_JOINTS},"
        _raise_malformed(lines, position, what, where)


def _check_joint(line: bytes, position: int, where: str) -> None:
    found = len(line.split())
    if found != _JOINT_FIELDS:
        raise ValueError(
            f"{where}, line {position + 1}: a joint has {_JOINT_FIELDS} fields, this "
            f"line has {found} ({_quote(line)}); {_REMEDY}"
        )


def _parse_joints(
    lines: list[bytes], first_lines: list[int], where: str
) -> npt.NDArray[np.float32]:
    """Read the first three fields of all joint lines.

    Args:
        lines: The lines of all bodies in all frames.
        first_lines: Index in the file of the first line of each body in each frame.
        where: The file.

    Returns:
        float32 ``[bodies in frames, 25, 3]``.
    """
    if not lines:
        return np.zeros((0, _NUM_JOINTS, _AXES), dtype=np.float32)

    def line_of(row: int) -> int:
        return first_lines[row // _NUM_JOINTS] + row % _NUM_JOINTS

    text = PADDING + b"\n".join(lines) + b"\n"
    separators = _find_separators(text)
    if separators is None:  # extra blanks, or a wrong number of fields
        for row, line in enumerate(lines):
            _check_joint(line, line_of(row), where)
        text = PADDING + b"\n".join(b" ".join(line.split()) for line in lines) + b"\n"
        separators = _find_separators(text)
        if separators is None:
            row = next(row for row, line in enumerate(lines) if _CONTROL.search(line))
            raise ValueError(
                f"{where}, line {line_of(row) + 1}: a control character among the "
                f"numbers ({_quote(lines[row])}); {_REMEDY}"
            )
    end = separators[:, :_AXES]
    start = np.empty_like(end)
    start[0, 0] = len(PADDING)
    start[1:, 0] = separators[:-1, -1] + 1
    start[:, 1:] = end[:, :-1] + 1
    try:
        values = parse_decimals(text, start.ravel(), end.ravel())
    except DecimalError as error:
        raise ValueError(
            f"{where}, line {line_of(error.index // _AXES) + 1}: {error}, where the "
            f"coordinate {'xyz'[error.index % _AXES]} of a joint should be; {_REMEDY}"
        ) from error
    with np.errstate(over="ignore"):  # what is too large is reported below
        joints = values.astype(np.float32)
    if not np.isfinite(joints).all():
        index = int(np.flatnonzero(~np.isfinite(joints))[0])
        raise ValueError(
            f"{where}, line {line_of(index // _AXES) + 1}: the coordinate "
            f"{'xyz'[index % _AXES]} is not a finite number; {_REMEDY}"
        )
    return joints.reshape(-1, _NUM_JOINTS, _AXES)


def _find_separators(text: bytes) -> npt.NDArray[np.int64] | None:
    """Find the byte after each field, ``[lines, 12]``, if there is just one after each.

    Returns:
        None if lines have another number of fields, or blanks stand together.
    """
    codes = np.frombuffer(text, np.uint8)
    found = np.flatnonzero(codes[len(PADDING) :] <= _SPACE)
    found += len(PADDING)
    if len(found) % _JOINT_FIELDS or found[0] == len(PADDING):
        return None
    separators = found.reshape(-1, _JOINT_FIELDS)
    blanks = codes[separators]
    is_newline = blanks == _NEWLINE
    if (
        not is_newline[:, -1].all()
        or np.count_nonzero(is_newline) != len(separators)
        # Other control characters are none: one may be a digit that lost a bit.
        or np.count_nonzero(blanks == _SPACE) != blanks.size - len(separators)
        or (found[1:] - found[:-1] == 1).any()
    ):
        return None
    return separators


_REMEDY = (
    "restore the file from the download, or name its sample in a file for --skip-list"
)
_QUOTE_LENGTH = 40


def _quote(line: bytes) -> str:
    text = line.strip().decode("ascii", "replace")
    return repr(text if len(text) <= _QUOTE_LENGTH else f"{text[:_QUOTE_LENGTH]}...")


def _raise_truncated(lines: list[bytes], what: str, where: str) -> NoReturn:
    if not lines:
        raise ValueError(f"{where}, line 1: the file is empty; {_REMEDY}")
    raise ValueError(
        f"{where}, line {len(lines)}: the file is cut short, it ends here and {what} "
        f"should follow; {_REMEDY}"
    )


def _raise_malformed(
    lines: list[bytes], position: int, what: str, where: str
) -> NoReturn:
    raise ValueError(
        f"{where}, line {position + 1}: {_quote(lines[position])} where {what} should "
        f"be; {_REMEDY}"
    )
