"""Results of a zero-shot experiment, and tables with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gap_mmaction.apis import ClipFeatures
from gap_mmaction.evaluation.zero_shot import (
    ZeroShotResult,
    combine_slots,
    evaluate_zero_shot,
)

from ..table_text import markdown_rows
from .unseen_classes import ClassSplit

ALL = "all"
"""What stands for all slots together."""

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


@dataclass(frozen=True)
class SplitResult:
    """The results of a split by slot, and for all slots together under :data:`ALL`."""

    split: ClassSplit
    classes: tuple[str, ...]
    results: dict[str, ZeroShotResult]
    title: str

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as JSON has it."""
        return {
            "unseen": list(self.split.unseen),
            "unseen_names": [self.classes[label] for label in self.split.unseen],
            "title": self.title,
            "chance": {
                "unseen": 100 / len(self.split.unseen),
                "seen": 100 / len(self.split.seen),
                "generalised": 100 / self.split.num_classes,
            },
            "slots": {name: item.to_dict() for name, item in self.results.items()},
        }


def evaluate_split(
    split: ClassSplit,
    held_out: ClipFeatures,
    test: ClipFeatures,
    weights: Sequence[float] | None = None,
    max_loss: float = 0.1,
    title: str | None = None,
) -> SplitResult:
    """Names test clips by each slot, and by all of them with the ``weights``.

    By the ``held_out`` clips, of seen classes that were not trained on, is chosen what
    is done against the lead of the seen classes; see :func:`.choose_factor` for
    ``max_loss``. ``title`` is that of the tables, in place of the unseen classes.
    """
    slots = len(test.parts)
    by_slot = {part: np.eye(slots)[k].tolist() for k, part in enumerate(test.parts)}
    kept_cosines, cosines = held_out.cosines(), test.cosines()
    results = {}
    for name, own in {**by_slot, ALL: weights}.items():
        results[name] = evaluate_zero_shot(
            *(combine_slots(cosines, own), test.labels, split.is_seen),
            (combine_slots(kept_cosines, own), held_out.labels),
            max_loss,
        )
    names = ", ".join(test.classes[label] for label in split.unseen)
    return SplitResult(split, test.classes, results, title or names)


def to_json(results: Sequence[SplitResult], settings: dict[str, Any]) -> str:
    """Writes everything as JSON, accuracies in percent, with how they were made."""
    content = {"settings": settings, "splits": [item.to_dict() for item in results]}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def to_markdown(results: Sequence[SplitResult], how: str = "") -> str:
    """Writes the results as Markdown; ``how`` they were made is a line below."""
    if not results:
        return "No split has been trained and scored yet.\n"
    title = "Zero-shot: classes without any training clip, named by their texts"
    lines = [f"**{title} (top-1 %)**", "", *_splits(results), "", *_slots(results)]
    return "\n".join([*lines, "", _NOTE, *(["", how] if how else [])]) + "\n"


def _splits(results: Sequence[SplitResult]) -> list[str]:
    shares, triples, rows = [], [], []
    for item in results:
        found, split = item.results[ALL], item.split
        chance, among_all = 1 / len(split.unseen), 1 / split.num_classes
        shares.append([found.unseen, chance, found.largest, found.area, among_all])
        ways = found.generalised.values()
        triples.append([(way.seen, way.unseen, way.harmonic) for way in ways])
    numbers, table = 100 * np.array(shares), 100 * np.array(triples)
    for item, shown, triple in zip(results, numbers, table):
        cells = (*_spread(shown[None]), *map(_three, triple))
        rows.append([item.title, str(item.results[ALL].num_unseen), *cells])
    if len(results) > 1:
        errors = table[..., 2].std(axis=0, ddof=1)
        means = [f"{_three(m)} ± {e:.1f}" for m, e in zip(table.mean(axis=0), errors)]
        rows.append([f"mean of {len(results)}", "", *_spread(numbers), *means])
    names = results[0].results[ALL].generalised
    head = (f"{name}: seen / unseen / H" for name in names)
    heads = ["unseen classes", *_HEAD, "chance among all", *head]
    return markdown_rows([heads, ["---"] * len(heads), *rows])


def _slots(results: Sequence[SplitResult]) -> list[str]:
    rows = []
    for slot in results[0].results:
        numbers = []
        for item in results:
            found = item.results[slot]
            harmonic = [way.harmonic for way in found.generalised.values()]
            numbers.append([found.unseen, found.area, *harmonic])
        rows.append([slot, *_spread(100 * np.array(numbers))])
    ways = (f"H {way}" for way in results[0].results[ALL].generalised)
    heads = ["slot", _HEAD[1], _HEAD[-1], *ways]
    return markdown_rows([heads, ["---"] * len(heads), *rows])


def _three(values: Sequence[float]) -> str:
    return "{:.1f} / {:.1f} / **{:.1f}**".format(*values)


def _spread(table: np.ndarray) -> list[str]:
    """Shows the means of columns and, of several rows, their deviations."""
    if len(table) == 1:
        return [f"{value:.1f}" for value in table[0]]
    deviations = table.std(axis=0, ddof=1)
    return [f"{mean:.1f} ± {e:.1f}" for mean, e in zip(table.mean(axis=0), deviations)]
