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
    """Write the results as tables.

    One has a row for each split, and so has one of what is done where all classes
    compete; one has a row for each slot.

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
        *_table(["unseen classes", *_HEAD], _rows(results)),
        "",
        "All classes compete (*seen* / *unseen* / ***H***):",
        "",
        *_table(["unseen classes", *_ways(results), "chance"], _generalised(results)),
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


def _rows(results: Sequence[SplitResult]) -> list[list[str]]:
    rows, numbers = [], []
    for item in results:
        found = item.overall
        chance = 1 / len(item.split.unseen)
        shares = [found.unseen, chance, found.largest, found.area]
        numbers.append([100 * value for value in shares])
        cells = [f"{value:.1f}" for value in numbers[-1]]
        rows.append([item.title, str(found.num_unseen), *cells])
    if len(results) > 1:
        rows.append([f"mean of {len(results)}", "", *_spread(numbers)])
    return rows


def _ways(results: Sequence[SplitResult]) -> list[str]:
    return list(results[0].overall.generalised)


def _generalised(results: Sequence[SplitResult]) -> list[list[str]]:
    """Give rows of seen and unseen accuracy and their harmonic mean for each way."""
    table = 100 * np.array(
        [
            [(g.seen, g.unseen, g.harmonic) for g in item.overall.generalised.values()]
            for item in results
        ]
    )
    rows = [
        [item.title, *map(_three, ways), f"{100 / item.split.num_classes:.1f}"]
        for item, ways in zip(results, table)
    ]
    if len(results) > 1:
        spread = table[..., 2].std(axis=0, ddof=1)
        means = [f"{_three(m)} ± {s:.1f}" for m, s in zip(table.mean(axis=0), spread)]
        rows.append([f"mean of {len(results)}", *means, ""])
    return rows


def _three(values: Sequence[float]) -> str:
    seen, unseen, harmonic = values
    return f"{seen:.1f} / {unseen:.1f} / **{harmonic:.1f}**"


def _slots(results: Sequence[SplitResult]) -> list[str]:
    """Give a table with the mean over the splits for each slot."""
    ways = _ways(results)
    rows = []
    for slot in results[0].results:
        numbers = []
        for item in results:
            found = item.results[slot]
            harmonic = [found.generalised[way].harmonic for way in ways]
            numbers.append([100 * v for v in (found.unseen, found.area, *harmonic)])
        rows.append([slot, *_spread(numbers)])
    head = ["slot", _HEAD[1], _HEAD[-1], *(f"H {way}" for way in ways)]
    return _table(head, rows)


def _spread(rows: Sequence[Sequence[float]]) -> list[str]:
    table = np.array(rows)
    if len(table) == 1:
        return [f"{value:.1f}" for value in table[0]]
    return [
        f"{mean:.1f} ± {deviation:.1f}"
        for mean, deviation in zip(table.mean(axis=0), table.std(axis=0, ddof=1))
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
