"""The ``.skeleton`` files of NTU RGB+D, in folders and zip archives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gap_mmaction.datasets.ntu.splits import SampleName
from gap_mmaction.datasets.source import Source, name_file, read_file

_MOST_SHOWN = 10


@dataclass(frozen=True)
class SkeletonFile:
    """One file: the sample's name, where it is, and what changes with its content."""

    name: str
    source: Path
    member: str
    stamp: str

    def __str__(self) -> str:
        return name_file(self.source, self.member)

    def read(self) -> bytes:
        """Reads the content; a ``ValueError`` or ``OSError`` if it cannot be read."""
        return read_file(self.source, self.member)


def list_files(sources: Sequence[Path]) -> list[SkeletonFile]:
    """Lists the ``.skeleton`` files of the data set.

    Args:
        sources: Folders, read with their subfolders, and zip archives.

    Returns:
        The files, sorted by name; other files are passed over.

    Raises:
        FileNotFoundError: If a source is not there or has no such file.
        ValueError: If a source is named twice, or is a file but no zip archive, if a
            file is not named as a sample is, or if a sample is there twice.
    """
    files: list[SkeletonFile] = []
    unknown: list[str] = []
    seen: set[str] = set()
    for path in sources:
        if os.path.realpath(path) in seen:
            raise ValueError(f"{path}: named twice by --raw; name each source once")
        seen.add(os.path.realpath(path))
        source = Source(path, ["*.skeleton"])
        if source.is_tar:
            raise ValueError(f"{path}: a tar archive; give the folder it unpacks to")
        for member, stamp in source.stamps.items():
            name = PurePosixPath(member).stem
            files.append(SkeletonFile(name, path, member, stamp))
            try:
                SampleName.parse(name, str(files[-1]))
            except ValueError as error:
                unknown.append(str(error))
    _refuse(unknown, "unknown file names; remove these files or put their names right")
    files.sort(key=lambda file: file.name)
    pairs = zip(files, files[1:])
    twice = [f"{one} and {other}" for one, other in pairs if one.name == other.name]
    _refuse(twice, "samples are there twice; remove one of each")
    return files


def _refuse(faults: list[str], what: str) -> None:
    """Raises one error for all faults of a kind."""
    if faults:
        shown = [f"  {fault}" for fault in faults[:_MOST_SHOWN]]
        if len(faults) > _MOST_SHOWN:
            shown.append(f"  and {len(faults) - _MOST_SHOWN} more")
        raise ValueError("\n".join([f"{len(faults)} {what}:", *shown]))
