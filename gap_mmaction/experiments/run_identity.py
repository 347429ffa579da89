"""What a folder and a record have to know of a run."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Protocol


class RunIdentity(Protocol):
    """Tells a run from others; as a string it is its name."""

    @property
    def folder(self) -> PurePosixPath:
        """Its folder in the work dir."""

    @property
    def seed(self) -> int:
        """Its seed."""
