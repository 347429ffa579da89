"""A table of results: its rows, its numbers, and the runs behind each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .variants import Variant

STREAM_WEIGHTS = {"joint": 0.8, "bone": 0.8, "joint-motion": 0.2, "bone-motion": 0.2}
"""Weights of the four-stream ensemble, those of the public implementation."""


@dataclass(frozen=True)
class RunSpec:
    """One run; two tables that need the same one share it.

    Attributes:
        fold: The fold that is left out and tested on; None trains on all of the
            training split and tests on the test split.
        shots: Training clips of each class, drawn with the seed; None for all.
    """

    data_set: str
    stream: str
    variant: Variant
    seed: int
    fold: int | None = None
    shots: int | None = None

    @property
    def name(self) -> str:
        """Its folder in the work dir."""
        last = "" if self.shots is None else f"{self.shots}-clips_"
        last += "" if self.fold is None else f"fold{self.fold}_"
        where = f"runs/{self.data_set}/{self.stream}/{self.variant.name}"
        return f"{where}/{last}seed{self.seed}"


Replicate = tuple[RunSpec, ...]
"""The runs behind one accuracy; several are fused."""


@dataclass(frozen=True)
class Measure:
    """A number of a table: a mean over seeds and ``folds``; ``paper`` is the paper's.

    Several ``streams`` are fused.
    """

    data_set: str
    variant: Variant
    streams: tuple[str, ...] = ("joint",)
    paper: float | None = None
    folds: tuple[int, ...] = ()
    shots: int | None = None

    @property
    def name(self) -> str:
        """A name for a CSV file."""
        return f"{self.variant.name} {'+'.join(self.streams)}"

    def replicates(self, seeds: Sequence[int]) -> list[Replicate]:
        """Lists for each seed, and each fold, the run, or the runs of the streams."""
        folds: Sequence[int | None] = self.folds or (None,)
        return [
            tuple(
                RunSpec(self.data_set, stream, self.variant, seed, fold, self.shots)
                for stream in self.streams
            )
            for seed in seeds
            for fold in folds
        ]


Cell = tuple[Measure, ...]
"""One number, or several with a slash between them; none for an empty cell."""


@dataclass(frozen=True)
class Row:
    """A row: the words of the first columns, then cells of numbers."""

    words: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table in the paper's layout: columns of words, then columns of numbers."""

    name: str
    title: str
    word_columns: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def measures(self) -> list[Measure]:
        """All numbers, in their order."""
        return [m for row in self.rows for cell in row.cells for m in cell]

    @property
    def data_sets(self) -> list[str]:
        """Names of the data sets that are run."""
        return list(dict.fromkeys(measure.data_set for measure in self.measures))

    def with_losses(self, forms: Sequence[str]) -> Table:
        """Returns the table with a number for each form of the loss, where texts are.

        Args:
            forms: Of :data:`.variants.LOSSES`.
        """

        def split(measure: Measure) -> Cell:
            if not measure.variant.has_texts:
                return (measure,)
            variants = (replace(measure.variant, loss=form) for form in forms)
            return tuple(replace(measure, variant=variant) for variant in variants)

        rows = []
        for row in self.rows:
            cells = ([split(measure) for measure in cell] for cell in row.cells)
            rows.append(Row(row.words, tuple(sum(cell, ()) for cell in cells)))
        note = f"Loss of the numbers with texts: {' / '.join(forms)}."
        return replace(self, rows=tuple(rows), notes=(*self.notes, note))

    def runs(self, seeds: Sequence[int]) -> list[RunSpec]:
        """Lists the runs in the order in which they are to be made, each once.

        All with the first seed, then the next; of these all with the first fold.
        """
        found: dict[RunSpec, None] = {}
        for seed in seeds:
            columns = [measure.replicates([seed]) for measure in self.measures]
            for i in range(max(map(len, columns), default=0)):
                for replicates in columns:
                    found.update(dict.fromkeys(replicates[min(i, len(replicates) - 1)]))
        return list(found)
