"""A csv table of joints: one row for each person of each frame.

Its header names the columns: ``time`` (seconds) or ``frame`` (a whole number), perhaps
``person`` (a whole number), and of each joint ``left wrist x``, ``left wrist y``, of
joints in space ``left wrist z``, and perhaps ``left wrist score``; also with ``_`` for
the spaces, in any case. An empty cell is a joint that was not found.
"""

from __future__ import annotations

import csv

import numpy as np

from gap_mmaction.skeletons import Layout, Skeleton, get_skeleton, layouts
from gap_mmaction.utils.config_parts import did_you_mean

from .poses import Person, Poses, expecting, make_poses, span


def is_table(text: str) -> bool:
    """Says whether a text's first line is the header of such a table."""
    header = _names(text.partition("\n")[0].replace('"', "").split(","))
    return not {"time", "frame"}.isdisjoint(header)


def read_csv(text: str, name: str, layout: Layout | None = None) -> Poses:
    """Reads the text of a table; columns of other names are left out.

    Args:
        text: The rows, in order of time. Frames that ``frame`` leaves out are empty.
        name: The table's name, for messages.
        layout: The layout of the joints, in whose units and axes they are; without it
            the built-in one of the most joints whose columns are all there.

    Raises:
        ValueError: If a column is missing, a cell is no number or the rows go back.
    """
    try:
        first, *rows = (row for row in csv.reader(text.splitlines()) if row)
    except csv.Error as error:
        raise ValueError(f"{name}: no csv ({error})") from error
    if not rows:
        raise ValueError(f"{name}: the table has no rows below its header")
    header = _names(first)
    skeleton = _nearest(header) if layout is None else get_skeleton(layout)
    places = _places(skeleton)
    wrong = _misfits(skeleton, header)
    if wrong:
        raise ValueError(
            f"{name}: layout {skeleton.name!r} does not have the columns of the table: "
            f"{wrong[0]!r} is {'too many' if wrong[0] in header else 'missing'}"
            f"{did_you_mean(wrong[0], set(header) - set(places))}; rename it, or give "
            "another layout"
        )
    key = "time" if "time" in header else "frame"
    joints = skeleton.joint_names
    columns = [key, "person", *places, *(f"{joint} score" for joint in joints)]
    table = np.ones((len(rows), len(columns)))
    table[:, 1] = -1
    told = [index for index, column in enumerate(columns) if column in header]
    cells = [header.index(columns[index]) for index in told]
    for index, row in enumerate(rows):
        with expecting("a row of numbers", f"{name}: line {index + 2}"):
            table[index, told] = [float(row[cell].strip() or "nan") for cell in cells]
    keys, persons = table[:, 0], np.nan_to_num(table[:, 1], nan=-1)
    bad = ~np.isfinite(keys) | (np.diff(keys, prepend=-np.inf) < 0)
    bad |= (keys % 1 != 0) & (key == "frame")
    if bad.any():
        line = int(bad.argmax())
        raise ValueError(
            f"{name}: line {line + 2}, {key} {keys[line]:g}: no number, or less than "
            f"in the line before; sort the rows by {key}"
        )
    points, scores = np.split(table[:, 2:], [len(places)], axis=1)
    points = points.reshape(len(rows), len(joints), skeleton.num_coordinates)
    every = np.concatenate([points, scores[..., None]], axis=-1)
    values, starts = np.unique(keys, return_index=True)
    groups = np.split(np.arange(len(rows)), starts[1:])
    frames: list[list[Person]] = [
        [(every[row], int(persons[row])) for row in group] for group in groups
    ]
    layout = skeleton.name if layout is None else layout
    if key == "time":
        return make_poses(layout, frames, times=values)
    numbered = dict(zip(map(int, values), frames))
    numbers = span(numbered, first=min(numbered), where=name)
    return make_poses(layout, [numbered.get(number, []) for number in numbers])


def _names(header: list[str]) -> list[str]:
    return [" ".join(name.lower().replace("_", " ").split()) for name in header]


def _places(skeleton: Skeleton) -> list[str]:
    axes = "xyz"[: skeleton.num_coordinates]
    return [f"{joint} {axis}" for joint in skeleton.joint_names for axis in axes]


def _misfits(skeleton: Skeleton, header: list[str]) -> list[str]:
    """Lists columns that a layout needs and a table lacks, and depths of a picture."""
    places = _places(skeleton)
    depths = {f"{joint} z" for joint in skeleton.joint_names} - set(places)
    return [*(n for n in places if n not in header), *sorted(depths & set(header))]


def _nearest(header: list[str]) -> Skeleton:
    """Finds the built-in layout of the fewest misfits, of those of the most joints."""
    ranks = []
    for index, name in enumerate(layouts()):
        skeleton = get_skeleton(name)
        ranks.append((len(_misfits(skeleton, header)), -skeleton.num_joints, index))
    return get_skeleton(layouts()[min(ranks)[-1]])
