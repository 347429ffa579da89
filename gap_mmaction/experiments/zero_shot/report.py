"""The results of a zero-shot experiment as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .split_result import ALL, SplitResult

_HEAD = (
    *("unseen classes", "clips", "unseen among unseen", "one name for all"),
    *("seen", "unseen", "H", "seen cal.", "unseen cal.", "H cal.", "area"),
)


def to_markdown(results: Sequence[SplitResult], how: str = "") -> str:
    """Write the results as tables: a row for each split, and one for each slot.

    Args:
        results: One for each split, of the same data.
        how: How they were made, for a line below.

    Returns:
        Markdown; only a line where there are no results.
    """
    if not results:
        return "No split has been trained and scored yet.\n"
    rows = [_row(item, ALL) for item in results]
    lines = [
        "**Zero-shot: classes without any training clip, named by their texts "
        "(top-1 %)**",
        "",
        _line(_HEAD),
        _line(["---"] * len(_HEAD)).replace(" ", ""),
    ]
    for item, row in zip(results, rows):
        names = ", ".join(item.unseen_names)
        lines.append(_line([names, str(item.overall.num_unseen), *_show(row)]))
    if len(results) > 1:
        lines.append(_line([f"mean of {len(results)} splits", "", *_spread(rows)]))
    lines.append(_line(["chance", "", *_chance(results[0])]))
    lines += ["", *_slots(results), "", _note(results[0])]
    if how:
        lines += ["", how]
    return "\n".join(lines) + "\n"


def to_json(results: Sequence[SplitResult], settings: dict[str, Any]) -> str:
    """Write everything as JSON, accuracies in percent.

    Args:
        results: One for each split.
        settings: How they were made.

    Returns:
        JSON, with the chance level beside.
    """
    chance = None
    if results:
        split = results[0].split
        chance = {
            "unseen": 100 / len(split.unseen),
            "seen": 100 / len(split.seen),
            "generalised": 100 / split.num_classes,
        }
    content = {
        "settings": settings,
        "chance": chance,
        "splits": [item.to_dict() for item in results],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _row(item: SplitResult, slot: str) -> list[float]:
    found = item.results[slot]
    fractions = (
        *(found.unseen, found.largest),
        *(found.plain.seen, found.plain.unseen, found.plain.harmonic),
        *(found.calibrated.seen, found.calibrated.unseen, found.calibrated.harmonic),
        found.area,
    )
    return [100 * value for value in fractions]


def _slots(results: Sequence[SplitResult]) -> list[str]:
    """Give a table with the mean over the splits for each slot."""
    head = ["slot", *(name for name in _HEAD[2:] if name != _HEAD[3])]
    lines = [_line(head), _line(["---"] * len(head)).replace(" ", "")]
    for slot in results[0].results:
        rows = [_row(item, slot) for item in results]
        cells = _spread(rows) if len(rows) > 1 else _show(rows[0])
        lines.append(_line([slot, cells[0], *cells[2:]]))
    return lines


def _chance(item: SplitResult) -> list[str]:
    """Give what guessing reaches.

    Who guesses may favour unseen classes too, which trades the seen ones for them and
    hardly changes the harmonic mean; the curve of all such trades is a straight line.
    """
    seen, unseen = len(item.split.seen), len(item.split.unseen)
    among_all = f"{100 / item.split.num_classes:.1f}"
    area = f"{100 / (2 * seen * unseen):.1f}"
    return [f"{100 / unseen:.1f}", "", *[among_all] * 3, *[""] * 3, area]


def _note(item: SplitResult) -> str:
    return (
        f"{item.split.num_classes} classes, of which {len(item.split.seen)} are "
        "trained on. *Unseen among unseen*: clips of unseen classes, which of these it "
        "is; *one name for all*: what the same answer for every clip reaches at best. "
        "*Seen*, *unseen*: all classes compete; *H*: their harmonic mean; *cal.*: "
        "after calibrated stacking, a number subtracted from the scores of the seen "
        "classes, chosen on held-out training clips of seen classes. *Area*: under the "
        "curve of seen against unseen accuracy over all such numbers. Slots: means "
        "over the "
        f"splits; *{ALL}*: all together, as in the first table."
    )


def _spread(rows: Iterable[Sequence[float]]) -> list[str]:
    table = np.array(list(rows))
    return [
        f"{mean:.1f} ± {deviation:.1f}"
        for mean, deviation in zip(table.mean(axis=0), table.std(axis=0, ddof=1))
    ]


def _show(row: Iterable[float]) -> list[str]:
    return [f"{value:.1f}" for value in row]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
