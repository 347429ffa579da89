"""A csv table of joints: one row for each person of each frame.

Its header names the columns: ``time`` (seconds) or ``frame`` (a whole number), perhaps
``person`` (a whole number), and of each joint ``left wrist x``, ``left wrist y``, of
joints in space ``left wrist z``, and perhaps ``left wrist score``; also with ``_`` for
the spaces, in any case. An empty cell is a joint that was not found.
"""

from __future__ import annotations

import csv

import numpy as np

from gap_mmaction.skeletons import Skeleton, get_skeleton, layouts
from gap_mmaction.utils.config_parts import did_you_mean

from .poses import Person, Poses, expecting, fill_frames, make_poses


def is_table(text: str) -> bool:
    """Says whether a text's first line is the header of such a table."""
    header = _names(text.partition("\n")[0].replace('"', "").split(","))
    return "time" in header or "frame" in header


def read_csv(text: str, name: str, own: Skeleton | None = None) -> Poses:
    """Reads the text of a table; columns of other names are left out.

    The rows are in order of time; frames that ``frame`` leaves out are empty. The
    layout is one's ``own``, or the built-in one of the most joints, whose columns are
    all there, in its units and axes.

    Raises:
        ValueError: If a column is missing, a cell is no number or the rows go back.
    """
    with expecting("a csv table", name):
        first, *rows = (row for row in csv.reader(text.splitlines()) if row)
    if not rows:
        raise ValueError(f"{name}: the table has no rows below its header")
    header = _names(first)

    skeletons = [get_skeleton(layout) for layout in layouts()]
    skeletons += [] if own is None else [own]
    skeleton = min(skeletons, key=lambda s: (len(_missing(s, header)), -s.num_joints))
    columns = _columns(skeleton)
    depths = {f"{joint} z" for joint in skeleton.joint_names} - set(columns)
    wrong = _missing(skeleton, header) or sorted(depths & set(header))
    if wrong:
        state = "too many" if wrong[0] in header else "missing"
        near = did_you_mean(wrong[0], set(header) - set(columns))
        raise ValueError(
            f"{name}: {skeleton.name!r} is the layout that fits the columns best, and "
            f"{wrong[0]!r} is {state}{near}. A table has all joints of a layout, by "
            f"their names; there are {', '.join(layouts())}"
        )
    layout = skeleton.name if skeleton.name in layouts() else skeleton
    key = "time" if "time" in header else "frame"
    untold = {**dict.fromkeys(columns, "1"), "person": "-1"}
    frames: dict[float, list[Person]] = {}
    last = -np.inf
    for line, row in enumerate(rows, start=2):
        with expecting("a row of numbers", f"{name}: line {line}"):
            if len(row) < len(header):
                raise ValueError(f"{len(row)} cells for {len(header)} columns")
            cells = {**untold, **dict(zip(header, row))}
            at, track, *values = (
                float(cells[column].strip() or "nan")
                for column in (key, "person", *columns)
            )
            joints = np.reshape(values, (skeleton.num_joints, -1))
            person = joints, -1 if np.isnan(track) else int(track)
        if not last <= at < np.inf or (key == "frame" and at % 1):
            raise ValueError(
                f"{name}: line {line}, {key} {at:g}: no number, or less than in the "
                f"line before; sort the rows by {key}"
            )
        last = at
        frames.setdefault(at, []).append(person)
    if key == "time":
        return make_poses(layout, frames.values(), times=np.array([*frames]))
    numbered = {int(number): persons for number, persons in frames.items()}
    return make_poses(layout, fill_frames(numbered, min(numbered), name))


def _names(header: list[str]) -> list[str]:
    return [" ".join(name.lower().replace("_", " ").split()) for name in header]


def _columns(skeleton: Skeleton) -> list[str]:
    kinds = (*"xyz"[: skeleton.num_coordinates], "score")
    return [f"{joint} {kind}" for joint in skeleton.joint_names for kind in kinds]


def _missing(skeleton: Skeleton, header: list[str]) -> list[str]:
    needed = (name for name in _columns(skeleton) if not name.endswith(" score"))
    return [name for name in needed if name not in header]
