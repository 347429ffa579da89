"""Reader of ``.skeleton`` files, the raw text of NTU RGB+D.

The text: number of frames; for each frame the number of bodies; for each body a line
of 10 fields that begins with its id, the number of joints (25) and a line of 12 fields
for each joint, of which the first three are x, y and z in metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gap_mmaction.utils.brief import brief

NUM_JOINTS = 25
_BODY_FIELDS = 10
_JOINT_FIELDS = 12
_MOST_DIGITS = 18
_LARGEST = float(np.finfo(np.float32).max)
_SEPARATORS = np.frombuffer(b" " * (_JOINT_FIELDS - 1) + b"\n", np.uint8)
_CONTROL = bytes(range(32))  # perhaps a digit that lost a bit
_REMEDY = (
    "restore the file from the download, or name its sample in a file for --skip-list"
)

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


@dataclass(frozen=True)
class Body:
    """The frames of one body id."""

    identity: str  # as the file writes it
    joints: npt.NDArray[np.float32]  # [n, 25, 3], metres, in the order of the file
    frames: npt.NDArray[np.int64]  # [n], ascending; frames without a body do not count

    @property
    def start(self) -> int:
        """The first frame."""
        return int(self.frames[0])

    @property
    def is_doubled(self) -> bool:
        """Whether a frame has the id twice."""
        return bool((self.frames[1:] == self.frames[:-1]).any())

    def closed_up(self) -> Body:
        """Moves later frames earlier, contiguous from the first (reference, rule 2)."""
        frames = np.arange(self.start, self.start + len(self.frames), dtype=np.int64)
        return Body(self.identity, self.joints, frames)

    def without_doubles(self) -> Body:
        """Keeps the first where a frame has the id twice."""
        frames, first = np.unique(self.frames, return_index=True)
        return Body(self.identity, self.joints[first], frames)


@dataclass(frozen=True)
class RawSequence:
    """The bodies of a recording, frames without any body taken out (rule 1)."""

    bodies: list[Body]  # in the order in which they appear first
    num_frames: int  # with at least one body
    num_empty_frames: int
    num_extra_lines: int  # of text after the last frame


def parse_skeleton(data: bytes, where: str) -> RawSequence:
    """Reads the text of one recording, with line ends of any system.

    Coordinates are the float32 values of the reference (text to float64 to float32).
    A text that is cut short or not of the form above, or a coordinate that is not a
    finite number, is a ``ValueError`` with ``where`` and the line, from 1.
    """
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = data.rstrip().split(b"\n") if data.strip() else []
    num_frames = _read_count(lines, 0, "the number of frames", where)
    position = 1
    joint_lines: list[int] = []
    rows_of: dict[bytes, list[int]] = {}
    frame_of_row: list[int] = []
    kept = 0
    for frame in range(num_frames):
        what = f"the number of bodies of frame {frame + 1} of {num_frames}"
        num_bodies = _read_count(lines, position, what, where)
        position += 1
        for _ in range(num_bodies):
            end = position + 2 + NUM_JOINTS
            if end > len(lines):
                raise _fault(lines, end, "a body with its joints", where)
            fields = lines[position].split()
            if len(fields) != _BODY_FIELDS:
                raise _fault(lines, position, "the 10 fields of a body", where)
            if lines[position + 1].strip() != b"25":
                raise _fault(lines, position + 1, "the number of joints, 25,", where)
            rows_of.setdefault(fields[0], []).append(len(frame_of_row))
            frame_of_row.append(kept)
            joint_lines += range(position + 2, end)
            position = end
        kept += num_bodies > 0
    joints = _read_joints(lines, joint_lines, where)
    frames = np.array(frame_of_row, dtype=np.int64)
    bodies = [
        Body(identity.decode("ascii", "replace"), joints[rows], frames[rows])
        for identity, rows in rows_of.items()
    ]
    num_extra = sum(1 for line in lines[position:] if line.strip())
    return RawSequence(bodies, kept, num_frames - kept, num_extra)


def _read_count(lines: list[bytes], position: int, what: str, where: str) -> int:
    text = lines[position].strip() if position < len(lines) else b""
    # int() alone would take '1_0' as well.
    if not text.isdigit() or len(text) > _MOST_DIGITS:
        raise _fault(lines, position, what, where)
    return int(text)


def _read_joints(
    lines: list[bytes], positions: list[int], where: str
) -> npt.NDArray[np.float32]:
    """Reads x, y and z of the joints at some lines, as ``[-1, 25, 3]``."""
    found = [lines[position] for position in positions]
    joints = _read_plain_joints(found)
    if joints is None:
        # Slowly, line by line: other white space, or a fault to be found.
        rows = [
            _read_joint(line, f"{where}, line {position + 1}")
            for line, position in zip(found, positions)
        ]
        joints = np.array(rows, dtype=np.float32)
    return joints.reshape(-1, NUM_JOINTS, 3)


def _read_plain_joints(lines: list[bytes]) -> npt.NDArray[np.float32] | None:
    """Reads all joints at once, if there is nothing but numbers and single blanks."""
    text = PADDING + b"\n".join(lines) + b"\n"
    codes = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(codes[len(PADDING) :] <= _SEPARATORS.max()) + len(PADDING)
    if (
        len(ends) != _JOINT_FIELDS * len(lines)
        or ends[0] == len(PADDING)
        or (np.diff(ends) == 1).any()
        or (codes[ends].reshape(-1, _JOINT_FIELDS) != _SEPARATORS).any()
    ):
        return None
    stops = ends.reshape(-1, _JOINT_FIELDS)
    starts = np.empty((len(lines), 3), dtype=np.int64)
    starts[0, 0] = len(PADDING)
    starts[1:, 0] = stops[:-1, -1] + 1
    starts[:, 1:] = stops[:, :2] + 1
    try:
        values = parse_decimals(text, starts.ravel(), stops[:, :3].ravel())
    except ValueError:
        return None
    with np.errstate(over="ignore"):  # what is too large is not finite
        joints = values.astype(np.float32)
    return joints if np.isfinite(joints).all() else None


def _read_joint(line: bytes, where: str) -> list[float]:
    fields = line.split()
    fault = ""
    if len(fields) != _JOINT_FIELDS:
        fault = f"a joint has {_JOINT_FIELDS} fields, this line has {len(fields)}"
    elif b"".join(fields).translate(None, _CONTROL) != b"".join(fields):
        fault = "a control character among the numbers"
    if fault:
        raise ValueError(f"{where}: {fault} ({_quote(line)}); {_REMEDY}")
    values = []
    for axis, field in zip("xyz", fields):
        try:
            # float() alone would take '1_0' as well.
            value = float(field.replace(b"_", b"?"))
            fault = "" if abs(value) <= _LARGEST else "not a finite number"
        except ValueError:
            fault = "not a number"
        if fault:
            raise ValueError(
                f"{where}: {_quote(field)} is {fault}, where the coordinate {axis} of "
                f"a joint should be; {_REMEDY}"
            )
        values.append(value)
    return values


def _fault(lines: list[bytes], position: int, what: str, where: str) -> ValueError:
    """Makes an error that says what should be at a line, and what is."""
    if position < len(lines):
        fault = f"{position + 1}: {_quote(lines[position])} where {what} should be"
    elif lines:
        fault = f"{len(lines)}: the file is cut short, {what} should follow"
    else:
        fault = "1: the file is empty"
    return ValueError(f"{where}, line {fault}; {_REMEDY}")


def _quote(text: bytes) -> str:
    return brief(text.strip().decode("ascii", "replace"))


def parse_decimals(
    text: bytes, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Reads numbers, each to the very value that ``float`` gives.

    Numbers of the form ``-12.345`` with at most 15 digits, that is all but a few, are
    read together: their digits make an integer below 2**53 and thus an exact float64,
    and one division by a power of ten (exact as well up to 1e22) is rounded once. Any
    other goes through ``float``.

    The ASCII text begins with ``PADDING``; ``start`` and ``end`` (exclusive) are
    ``[n]``. What is not a number is a ``ValueError``.
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
