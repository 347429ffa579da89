"""The results of a zero-shot experiment as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from .split_result import ALL, SplitResult

_HEAD = ("clips", "unseen among unseen", "chance", "one name for all", "area")
_NOTE = (
    "*Unseen among unseen*: clips of unseen classes, which of these it is; *one name "
    "for all*: what the same answer for every clip reaches at best. *Area*: under the "
    "curve of seen against unseen accuracy over all numbers that could be subtracted "
    "from the scores of the seen classes. *H*: the harmonic mean of seen and unseen. "
    "*Constant*: such a number; *temperature*: seen and unseen classes have a "
    "distribution each; *gate*: a clip is of an unseen class if no seen one is sure "
    "enough. All three are fitted on held-out training clips of seen classes. "
    "*Chance*: a name drawn from all. Slots: means of the rows above; "
    f"*{ALL}*: all together, as in the other tables."
)


def to_markdown(results: Sequence[SplitResult], how: str = "") -> str:
    """Write the results as tables: a row for each split, and one for each slot.

    Args:
        results: One for each split, of the same slots.
        how: How they were made, for a line below.

    Returns:
        Markdown; only a line where there are no results.
    """
    if not results:
        return "No split has been trained and scored yet.\n"
    lines = [
        "**Zero-shot: classes without any training clip, named by their texts "
        "(top-1 %)**",
        "",
        *_splits(results),
        "",
        *_slots(results),
        "",
        _NOTE,
    ]
    if how:
        lines += ["", how]
    return "\n".join(lines) + "\n"


def to_json(results: Sequence[SplitResult], settings: dict[str, Any]) -> str:
    """Write everything as JSON, accuracies in percent.

    Args:
        results: One for each split.
        settings: How they were made.

    Returns:
        JSON, with the chance level beside each.
    """
    content = {
        "settings": settings,
        "splits": [item.to_dict() for item in results],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _splits(results: Sequence[SplitResult]) -> list[str]:
    shares, triples, rows = [], [], []
    for item in results:
        found, split = item.overall, item.split
        chance, among_all = 1 / len(split.unseen), 1 / split.num_classes
        shares.append([found.unseen, chance, found.largest, found.area, among_all])
        ways = found.generalised.values()
        triples.append([(way.seen, way.unseen, way.harmonic) for way in ways])
        rows.append([item.title, str(found.num_unseen)])
    numbers, table = 100 * np.array(shares), 100 * np.array(triples)
    cells = [[*_spread(n[None]), *map(_three, t)] for n, t in zip(numbers, table)]
    rows = [[*row, *more] for row, more in zip(rows, cells)]
    if len(results) > 1:
        errors = table[..., 2].std(axis=0, ddof=1)
        means = [f"{_three(m)} ± {e:.1f}" for m, e in zip(table.mean(axis=0), errors)]
        rows.append([f"mean of {len(results)}", "", *_spread(numbers), *means])
    head = (f"{way}: seen / unseen / H" for way in results[0].overall.generalised)
    return _table(["unseen classes", *_HEAD, "chance among all", *head], rows)


def _three(values: Sequence[float]) -> str:
    return "{:.1f} / {:.1f} / **{:.1f}**".format(*values)


def _slots(results: Sequence[SplitResult]) -> list[str]:
    rows = []
    for slot in results[0].results:
        found = [item.results[slot] for item in results]
        numbers = [
            [r.unseen, r.area, *(way.harmonic for way in r.generalised.values())]
            for r in found
        ]
        rows.append([slot, *_spread(100 * np.array(numbers))])
    ways = (f"H {way}" for way in results[0].overall.generalised)
    return _table(["slot", _HEAD[1], _HEAD[-1], *ways], rows)


def _spread(table: np.ndarray) -> list[str]:
    if len(table) == 1:
        return [f"{value:.1f}" for value in table[0]]
    return [
        f"{mean:.1f} ± {deviation:.1f}"
        for mean, deviation in zip(table.mean(axis=0), table.std(axis=0, ddof=1))
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
