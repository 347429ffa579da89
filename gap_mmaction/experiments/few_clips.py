"""Tables beyond the paper's: few clips of each class, and backbones on several sets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from .data_sets import DATA_SETS
from .tables import Cell, Measure, Row, Table
from .variants import BACKBONES, PLAIN, RANDOM, Variant

GAINS = ("low-shot", "board")
"""Names of these tables."""

ARMS = {
    "plain": ("without texts", Variant("ctrgcn", PLAIN)),
    "random": ("random vectors", Variant("ctrgcn", encoder=RANDOM)),
    "gap": ("with GAP", Variant("ctrgcn")),
    "shuffled": ("texts of other classes", Variant("ctrgcn", shuffled=True)),
}
"""What is compared: title of the column, and what is trained."""


def low_shot_table(
    data_sets: Sequence[str],
    shots: Sequence[int | None],
    arms: Sequence[str],
    sizes: Mapping[str, Sequence[Counter[str]]],
) -> Table:
    """Lays the table of few clips out.

    As many clips as the largest class has are all of them: those runs are shared.

    Args:
        data_sets: Their names.
        shots: Clips of each class, None for all.
        arms: Of :data:`ARMS`.
        sizes: By data set the clips of the classes in each fold's training split;
            nothing where the data are not there.
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
                notes.append(
                    f"{title}: {max(short)} of {len(folds[0])} classes have fewer than "
                    f"{few} clips, and all of theirs are taken."
                )
            cells = (_cell(name, ARMS[arm][1], few) for arm in arms)
            rows[Row((title, str(few or "all")), tuple(cells))] = None
    return Table(
        GAINS[0],
        "Few training clips of each class",
        ("Data", "clips"),
        tuple(f"{ARMS[arm][0]} (%)" for arm in arms),
        tuple(rows),
        tuple(dict.fromkeys(notes)),
    )


def board_table(data_sets: Sequence[str]) -> Table:
    """Lays the table of backbones out, each without GAP and with it."""
    rows = []
    for name in data_sets:
        for backbone in reversed(BACKBONES):
            plain, gap = Variant(backbone, PLAIN), Variant(backbone)
            cells = (_cell(name, plain), _cell(name, gap))
            rows.append(Row((DATA_SETS[name].title, backbone), cells))
    columns = ("w/o. GAP (%)", "w. GAP (%)")
    title = "Backbones without GAP and with it"
    return Table(GAINS[1], title, ("Data", "Backbone"), columns, tuple(rows))


def _cell(name: str, variant: Variant, shots: int | None = None) -> Cell:
    return (Measure(name, variant, folds=DATA_SETS[name].folds, shots=shots),)
