"""One training of a zero-shot experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from .class_split import ClassSplit


@dataclass(frozen=True)
class ZeroShotSpec:
    """One training.

    Attributes:
        split: What is trained on.
        seed: Its seed.
    """

    split: ClassSplit
    seed: int

    @property
    def folder(self) -> PurePosixPath:
        """Its folder in the work dir."""
        return PurePosixPath("runs", self.split.name, f"seed{self.seed}")

    def __str__(self) -> str:
        return str(self.folder)
