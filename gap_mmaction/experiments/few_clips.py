"""Tables beyond the paper's: few clips of each class, and backbones on several sets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from .backbones import BACKBONES
from .benchmark import BENCHMARKS
from .measure import Measure
from .table import Cell, Row, Table
from .variant import PLAIN, RANDOM, Variant

GAINS = ("low-shot", "board")
"""Names of these tables."""

_BACKBONE = "ctrgcn"
ARMS = {
    "plain": ("without texts", Variant(_BACKBONE, PLAIN)),
    "random": ("random vectors", Variant(_BACKBONE, encoder=RANDOM)),
    "gap": ("with GAP", Variant(_BACKBONE)),
    "shuffled": ("texts of other classes", Variant(_BACKBONE, shuffled=True)),
}
"""What is compared: title of the column, and what is trained."""


def low_shot_table(
    benchmarks: Sequence[str],
    shots: Sequence[int | None],
    arms: Sequence[str],
    sizes: Mapping[str, Sequence[Counter[str]]],
) -> Table:
    """Lay the table of few clips out.

    Args:
        benchmarks: Names of the benchmarks.
        shots: Clips of each class, None for all.
        arms: Of :data:`ARMS`.
        sizes: Clips of the classes in each fold's training split by benchmark; nothing
            where the data are not there.

    Returns:
        The table. As many clips as the largest class has are all of them: the runs are
        those of all clips.
    """
    rows: dict[Row, None] = {}
    notes = ["All rows of a set have as many steps, as near as whole epochs come."]
    for name in benchmarks:
        title, folds = BENCHMARKS[name].title, sizes.get(name, ())
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


def board_table(benchmarks: Sequence[str]) -> Table:
    """Lay the table of backbones out, each without GAP and with it.

    Args:
        benchmarks: Names of the benchmarks.

    Returns:
        The table.
    """
    rows = (
        Row(
            (BENCHMARKS[name].title, backbone),
            (_cell(name, Variant(backbone, PLAIN)), _cell(name, Variant(backbone))),
        )
        for name in benchmarks
        for backbone in reversed(BACKBONES)
    )
    columns = ("w/o. GAP (%)", "w. GAP (%)")
    title = "Backbones without GAP and with it"
    return Table(GAINS[1], title, ("Data", "Backbone"), columns, tuple(rows))


def _cell(name: str, variant: Variant, shots: int | None = None) -> Cell:
    return (Measure(name, variant, folds=BENCHMARKS[name].folds, shots=shots),)
