"""Tables beyond the paper's: few clips, backbones and streams, on any of the sets."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .tables import DATA_SETS, ENSEMBLE, STREAM_WEIGHTS, Cell, Measure, Row, Table
from .variants import PLAIN, RANDOM, Variant

GAINS = ("low-shot", "board", "streams")
"""Names of these tables."""

ARMS = {
    "plain": ("without texts", Variant("ctrgcn", PLAIN)),
    "random": ("random vectors", Variant("ctrgcn", encoder=RANDOM)),
    "gap": ("with GAP", Variant("ctrgcn")),
    "shuffled": ("texts of other classes", Variant("ctrgcn", shuffled=True)),
}
"""What is compared: title of the column, and what is trained by default."""


def low_shot_table(
    data_sets: Sequence[str],
    shots: Sequence[int | None],
    arms: Sequence[str],
    sizes: Mapping[str, Sequence[Counter[str]]],
) -> Table:
    """Lays the table of few clips out.

    ``shots`` are clips of each class, None for all; as many as the largest class has
    are all of them. ``sizes`` has by data set the clips of the classes in each fold's
    training split, nothing where the data are not there.
    """
    rows: dict[Row, None] = {}
    notes = ["All rows of a set have as many steps, as near as whole epochs come."]
    for name in data_sets:
        title, folds = DATA_SETS[name].title, sizes.get(name, ())
        largest = max((max(fold.values()) for fold in folds), default=math.inf)
        for asked in shots:
            few = None if asked is None or asked >= largest else asked
            if few != asked:
                notes.append(f"{title}: no class has more than {largest} clips.")
            short = [sum(size < few for size in fold.values()) for fold in folds if few]
            if any(short):
                classes = f"{max(short)} of {len(folds[0])} classes"
                what = f"have fewer than {few} clips, and all of theirs are taken."
                notes.append(f"{title}: {classes} {what}")
            cells = (_cell(name, ARMS[arm][1], few) for arm in arms)
            rows[Row((title, str(few or "all")), tuple(cells))] = None
    return Table(
        GAINS[0],
        "Few training clips of each class",
        ("Data", "clips"),
        _heads(arms),
        tuple(rows),
        tuple(dict.fromkeys(notes)),
    )


def board_table(
    data_sets: Sequence[str], backbones: Sequence[str], arms: Sequence[str]
) -> Table:
    """Lays the table of backbones out."""
    rows = []
    for name, backbone in itertools.product(data_sets, backbones):
        variants = [replace(ARMS[arm][1], backbone=backbone) for arm in arms]
        cells = tuple(_cell(name, variant) for variant in variants)
        rows.append(Row((DATA_SETS[name].title, backbone), cells))
    heads = ("Data", "Backbone"), _heads(arms)
    return Table(GAINS[1], "Backbones", *heads, tuple(rows))


def streams_table(data_sets: Sequence[str], arms: Sequence[str]) -> Table:
    """Lays four streams and their ensemble out."""
    single = {name.capitalize(): (name,) for name in STREAM_WEIGHTS}
    modes = {**single, "4 ensemble": tuple(STREAM_WEIGHTS)}
    rows = []
    for name, (mode, streams) in itertools.product(data_sets, modes.items()):
        cells = tuple(_cell(name, ARMS[arm][1], streams=streams) for arm in arms)
        rows.append(Row((DATA_SETS[name].title, mode), cells))
    heads = ("Data", "Mode"), _heads(arms)
    return Table(GAINS[2], "Streams", *heads, tuple(rows), (ENSEMBLE,))


def _heads(arms: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{ARMS[arm][0]} (%)" for arm in arms)


def _cell(
    name: str,
    variant: Variant,
    shots: int | None = None,
    streams: tuple[str, ...] = ("joint",),
) -> Cell:
    return (Measure(name, variant, streams, folds=DATA_SETS[name].folds, shots=shots),)
