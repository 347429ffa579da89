"""A number of a table: which runs it is the mean of, and the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .run_spec import RunSpec
from .variant import Variant

STREAM_WEIGHTS = {
    "joint": 0.8,
    "bone": 0.8,
    "joint-motion": 0.2,
    "bone-motion": 0.2,
}
"""Weights of the four-stream ensemble, those of the public implementation."""

Replicate = tuple[RunSpec, ...]
"""The runs behind one accuracy; several are fused."""


@dataclass(frozen=True)
class Measure:
    """A number of a table.

    Attributes:
        benchmark: Name of the benchmark.
        variant: What is trained.
        streams: One stream, or those that are fused.
        paper: The paper's number, None where it has none.
        folds: The folds of a cross-validation; none for the test split.
        shots: Training clips of each class; None for all.
    """

    benchmark: str
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
        """List the runs, one accuracy each.

        Args:
            seeds: The seeds.

        Returns:
            For each seed, and each fold, the run, or the runs of the streams.
        """
        folds: Sequence[int | None] = self.folds or (None,)
        return [
            tuple(
                RunSpec(self.benchmark, stream, self.variant, seed, fold, self.shots)
                for stream in self.streams
            )
            for seed in seeds
            for fold in folds
        ]
