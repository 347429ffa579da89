"""The ``.skeleton`` files of folders and zip archives."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path, PurePosixPath

from gap_mmaction.datasets.ntu.sample_name import SampleName
from gap_mmaction.utils.zip_source import open_zip, read_member

_SUFFIX = ".skeleton"
_MOST_SHOWN = 10
_OPEN_ARCHIVES = 4
_REMEDY = (
    f"give a folder or a zip archive of {_SUFFIX} files, and download an archive again "
    "if it is broken"
)


@dataclass(frozen=True)
class SkeletonFile:
    """One file of the data set.

    Attributes:
        name: The sample's name.
        source: The folder or the archive.
        member: The path in it.
        stamp: Changes when the content does: size and time, or size and checksum.
    """

    name: str
    source: str
    member: str
    stamp: str

    def __str__(self) -> str:
        if os.path.isdir(self.source):
            return os.path.join(self.source, self.member)
        return f"{self.source}: {self.member}"

    def read(self) -> bytes:
        """Read the content, out of an archive without unpacking it.

        Returns:
            The text of the file.

        Raises:
            ValueError: If the archive is broken there.
            OSError: If it cannot be read.
        """
        if os.path.isdir(self.source):
            with open(os.path.join(self.source, self.member), "rb") as stream:
                return stream.read()
        archive = _open_archive(self.source, os.getpid())
        remedy = "download the archive again, or unpack it and give the folder"
        return read_member(archive, self.member, remedy)


def list_files(sources: Sequence[str | PathLike[str]]) -> list[SkeletonFile]:
    """List the ``.skeleton`` files of the data set.

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
    for source in sources:
        path = Path(source)
        if os.path.realpath(path) in seen:
            raise ValueError(f"{path}: named twice by --raw; name each source once")
        seen.add(os.path.realpath(path))
        found = _list_source(path)
        if not found:
            raise FileNotFoundError(
                f"{path}: no {_SUFFIX} file in it; give the folder or the zip archive "
                "of the skeletons of NTU RGB+D (nturgbd_skeletons_s001_to_s017.zip, "
                "and _s018_to_s032.zip for NTU RGB+D 120)"
            )
        for member, stamp in found:
            file = SkeletonFile(
                PurePosixPath(member.replace(os.sep, "/")).stem,
                str(path),
                member,
                stamp,
            )
            files.append(file)
            try:
                SampleName.parse(file.name, str(file))
            except ValueError as error:
                unknown.append(str(error))
    if unknown:
        raise ValueError(
            f"{len(unknown)} unknown file names; remove these files or put their names "
            f"right:\n{_shorten(unknown)}"
        )
    files.sort(key=_name_of)
    twice = [
        f"{first} and {second}"
        for first, second in zip(files, files[1:])
        if first.name == second.name
    ]
    if twice:
        raise ValueError(
            f"{len(twice)} samples are there twice; remove one of each:\n"
            f"{_shorten(twice)}"
        )
    return files


def _list_source(path: Path) -> list[tuple[str, str]]:
    """List path and stamp of each file in one source."""
    if path.is_dir():
        found = []
        for folder, _, names in os.walk(path):
            for name in filter(_is_skeleton, names):
                full = os.path.join(folder, name)
                status = _stat(full)
                stamp = f"{status.st_size} {status.st_mtime_ns}"
                found.append((os.path.relpath(full, path), stamp))
        return found
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: neither a folder nor a zip archive; give the path of the NTU "
            "RGB+D skeletons"
        )
    with open_zip(path, _REMEDY) as archive:
        infos = archive.infolist()
    return [
        (info.filename, f"{info.file_size} {info.CRC:08x}")
        for info in infos
        if _is_skeleton(PurePosixPath(info.filename).name)
    ]


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: a link to a file that is not there; remove it or restore the file"
        ) from None


def _is_skeleton(name: str) -> bool:
    # Archives made on a Mac carry a hidden '._' twin of every file.
    return name.endswith(_SUFFIX) and not name.startswith("._")


@lru_cache(maxsize=_OPEN_ARCHIVES)
def _open_archive(path: str, process: int) -> zipfile.ZipFile:
    """Open once per process: forked ones share, and move, a position in the file."""
    return open_zip(path, _REMEDY)


def _name_of(file: SkeletonFile) -> str:
    return file.name


def _shorten(lines: Iterable[str]) -> str:
    found = list(lines)
    shown = [f"  {line}" for line in found[:_MOST_SHOWN]]
    if len(found) > _MOST_SHOWN:
        shown.append(f"  and {len(found) - _MOST_SHOWN} more")
    return "\n".join(shown)
