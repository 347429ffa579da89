"""One training run: what, on what, with which seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from .variant import Variant


@dataclass(frozen=True)
class RunSpec:
    """One run; two tables that need the same one share it.

    Attributes:
        benchmark: Name of the benchmark.
        stream: Stream of the skeletons.
        variant: What is trained.
        seed: Its seed.
        fold: Of a cross-validation, the fold that is left out and tested on; None
            trains on all of the training split and tests on the test split.
        shots: Training clips of each class, drawn with the seed; None for all.
    """

    benchmark: str
    stream: str
    variant: Variant
    seed: int
    fold: int | None = None
    shots: int | None = None

    @property
    def folder(self) -> PurePosixPath:
        """Its folder in the work dir."""
        name = f"seed{self.seed}"
        if self.fold is not None:
            name = f"fold{self.fold}_{name}"
        if self.shots is not None:
            name = f"{self.shots}-clips_{name}"
        return PurePosixPath(
            "runs", self.benchmark, self.stream, self.variant.name, name
        )

    def __str__(self) -> str:
        return str(self.folder)
