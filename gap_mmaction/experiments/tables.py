"""A table of results: its data sets, rows, numbers, and the runs behind each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .variants import Variant

STREAM_WEIGHTS = {"joint": 0.8, "bone": 0.8, "joint-motion": 0.2, "bone-motion": 0.2}
"""Weights of the four-stream ensemble, those of the public implementation."""

_WEIGHTS = ", ".join(f"{weight:g} {name}" for name, weight in STREAM_WEIGHTS.items())
ENSEMBLE = (
    f"4 ensemble: scores of the streams of one seed, fused with the weights {_WEIGHTS}."
)
"""A note below a table that has one."""


@dataclass(frozen=True)
class DataSet:
    """A data set with its split, and the configs for it."""

    name: str  # what ``tools/reproduce.py --data`` calls it
    title: str
    config: str  # that of the joint stream; others have the stream appended
    recipe_of: str | None = None  # for a second recipe: its name in the paper's tables
    folds: tuple[int, ...] = ()  # official ones, of which each tests once

    @property
    def paper(self) -> str:
        """The name under which the paper's numbers are."""
        return self.recipe_of or self.name


def _small(name: str, title: str, folds: int = 0) -> DataSet:
    numbers = tuple(range(1, folds + 1))
    return DataSet(f"{name}-cpu", title, f"ctrgcn_{name}_cpu", folds=numbers)


DATA_SETS = {
    item.name: item
    for item in (
        DataSet("nwucla", "NW-UCLA", "ctrgcn_nwucla"),
        replace(_small("nwucla", "NW-UCLA, recipe for a CPU"), recipe_of="nwucla"),
        DataSet("ntu60-xsub", "NTU RGB+D, X-Sub", "ctrgcn_ntu60"),
        DataSet("ntu60-xview", "NTU RGB+D, X-View", "ctrgcn_ntu60-xview"),
        DataSet("ntu120-xsub", "NTU RGB+D 120, X-Sub", "ctrgcn_ntu120"),
        DataSet("ntu120-xset", "NTU RGB+D 120, X-Set", "ctrgcn_ntu120-xset"),
        _small("utd_mhad", "UTD-MHAD"),
        _small("msr_action3d", "MSR-Action3D"),
        _small("utkinect", "UTKinect-Action3D", folds=5),
        _small("sbu_kinect", "SBU Kinect Interaction", folds=5),
        _small("jhmdb14", "JHMDB, 14 classes", folds=3),
    )
}


@dataclass(frozen=True)
class RunSpec:
    """One run; two tables that need the same one share it.

    ``fold`` is left out and tested on; None trains on all of the training split.
    ``shots`` clips of each class are drawn with the seed; None for all.
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


@dataclass(frozen=True)
class Measure:
    """A number of a table: a mean over seeds and folds, of fused streams if several."""

    data_set: str
    variant: Variant
    streams: tuple[str, ...] = ("joint",)
    paper: float | None = None  # the paper's number
    folds: tuple[int, ...] = ()
    shots: int | None = None

    def replicates(self, seeds: Sequence[int]) -> list[tuple[RunSpec, ...]]:
        """Lists for each seed, and each fold, the run, or those that are fused."""
        folds: Sequence[int | None] = self.folds or (None,)
        return [
            tuple(
                RunSpec(self.data_set, stream, self.variant, seed, fold, self.shots)
                for stream in self.streams
            )
            for seed, fold in itertools.product(seeds, folds)
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
        """Returns the table with a number for each form of the loss."""

        def split(measure: Measure) -> Cell:
            variant = measure.variant
            own = forms if variant.has_texts else [variant.loss]
            variants = (replace(variant, loss=form) for form in own)
            return tuple(replace(measure, variant=item) for item in variants)

        rows = []
        for row in self.rows:
            cells = (itertools.chain(*map(split, cell)) for cell in row.cells)
            rows.append(Row(row.words, tuple(map(tuple, cells))))
        note = f"Loss of the numbers with texts: {' / '.join(forms)}."
        return replace(self, rows=tuple(rows), notes=(*self.notes, note))

    def runs(self, seeds: Sequence[int]) -> list[RunSpec]:
        """Lists the runs, each once: by seed, then by fold."""
        found: dict[RunSpec, None] = {}
        for seed in seeds:
            columns = [measure.replicates([seed]) for measure in self.measures]
            for replicates in itertools.zip_longest(*columns, fillvalue=()):
                found.update(dict.fromkeys(itertools.chain(*replicates)))
        return list(found)
