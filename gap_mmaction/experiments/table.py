"""A table of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .measure import Measure
from .run_spec import RunSpec

Cell = tuple[Measure, ...]
"""One number, or several with a slash between them; none for an empty cell."""


@dataclass(frozen=True)
class Row:
    """A row: words, then numbers.

    Attributes:
        words: The cells of the first columns.
        cells: One for each column of numbers.
    """

    words: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table in the paper's layout.

    Attributes:
        name: ``1a`` to ``4``, or ``lambda``.
        title: Its title.
        word_columns: Titles of the columns of words.
        columns: Titles of the columns of numbers.
        rows: The rows.
        notes: What has to be said below it.
    """

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
    def benchmarks(self) -> list[str]:
        """Names of the benchmarks that are run."""
        return list(dict.fromkeys(measure.benchmark for measure in self.measures))

    def with_losses(self, forms: Sequence[str]) -> Table:
        """Returns the table with a number for each form of the loss, where texts are.

        Args:
            forms: Of :data:`.variant.LOSSES`.
        """

        def split(measure: Measure) -> Cell:
            if not measure.variant.has_texts:
                return (measure,)
            variants = (replace(measure.variant, loss=form) for form in forms)
            return tuple(replace(measure, variant=variant) for variant in variants)

        rows = []
        for row in self.rows:
            cells = ([split(measure) for measure in cell] for cell in row.cells)
            rows.append(replace(row, cells=tuple(sum(cell, ()) for cell in cells)))
        note = f"Loss of the numbers with texts: {' / '.join(forms)}."
        return replace(self, rows=tuple(rows), notes=(*self.notes, note))

    def runs(self, seeds: Sequence[int]) -> list[RunSpec]:
        """List the runs, each once: all with the first seed, then the next.

        Of a cross-validation all with the first fold, then the next.

        Args:
            seeds: The seeds.

        Returns:
            The runs in the order in which they are to be made.
        """
        found: dict[RunSpec, None] = {}
        for seed in seeds:
            columns = [measure.replicates([seed]) for measure in self.measures]
            for i in range(max(map(len, columns), default=0)):
                for replicates in columns:
                    found.update(dict.fromkeys(replicates[min(i, len(replicates) - 1)]))
        return list(found)
