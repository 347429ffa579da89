"""A part of the files, converted in one go."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gap_mmaction.datasets.ntu.chunk_store import ChunkStore
from gap_mmaction.datasets.ntu.sample import convert_skeleton
from gap_mmaction.datasets.ntu.source import SkeletonFile

_VERSION = "1"  # another one when the chain or the content of a chunk changes


@dataclass(frozen=True)
class Chunk:
    """Some of the files.

    Attributes:
        index: Which chunk it is.
        files: Its files, those to be skipped left out.
        protocol: ``"reference"`` or ``"clean"``.
    """

    index: int
    files: tuple[SkeletonFile, ...]
    protocol: str

    @property
    def key(self) -> str:
        """A digest of all that the result depends on."""
        digest = hashlib.sha256(f"{_VERSION} {self.protocol}".encode())
        for file in self.files:
            digest.update(f"\n{file.name} {file.stamp}".encode())
        return digest.hexdigest()[:16]

    def convert(self, store: ChunkStore) -> list[str]:
        """Convert the files and keep the result, unless a file is broken.

        Args:
            store: Where to.

        Returns:
            Errors, one for each broken file.
        """
        samples = []
        errors = []
        for file in self.files:
            try:
                sample = convert_skeleton(
                    file.read(), file.name, self.protocol, str(file)
                )
            except (ValueError, OSError) as error:
                errors.append(str(error))
                continue
            samples.append(
                {
                    "name": sample.name,
                    "annotation": sample.annotation,
                    "notes": sample.notes,
                }
            )
        if not errors:
            store.save(self.index, self.key, samples)
        return errors


def make_chunks(
    files: Sequence[SkeletonFile], skipped: set[str], protocol: str, size: int
) -> list[Chunk]:
    """Cut a list of files into chunks.

    Args:
        files: The files.
        skipped: Names of samples to leave out. The cuts do not depend on them: with
            another name to skip only one chunk changes.
        protocol: ``"reference"`` or ``"clean"``.
        size: Number of files for each chunk.

    Returns:
        The chunks.
    """
    return [
        Chunk(
            index,
            tuple(
                file for file in files[start : start + size] if file.name not in skipped
            ),
            protocol,
        )
        for index, start in enumerate(range(0, len(files), size))
    ]
