"""The original files of a data set: a folder, a zip or a tar archive."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from os import PathLike
from pathlib import Path, PurePosixPath

MOST_BYTES = 2**28
"""Of one unpacked file. The longest recordings are below a hundredth of it."""

_REMEDY = "download the archive again, or give the folder it unpacks to"
_TAR_SUFFIXES = (".tar", ".tgz", ".txz")


class Source:
    """The files of certain names, such as ``*.json``, read one after the other.

    The source is a folder, read with its subfolders, or an archive (zip, tar, tar.xz,
    tar.gz), which is not unpacked.

    Attributes:
        stamps: By the path of each file in the source, sorted, what changes when its
            content does: size and time, or size and checksum; empty in a tar archive.
    """

    def __init__(self, path: str | PathLike[str], patterns: Sequence[str]) -> None:
        self.path = Path(path)
        self.is_tar = self.path.is_file() and (
            ".tar." in self.path.name.lower()
            or self.path.name.lower().endswith(_TAR_SUFFIXES)
        )
        self._patterns = tuple(patterns)
        self.stamps = dict(sorted(self._list()))
        if not self.stamps:
            raise FileNotFoundError(
                f"{path}: no file named {' or '.join(patterns)} in it; give the path "
                "of the original files as they were downloaded"
            )

    def __len__(self) -> int:
        return len(self.stamps)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yields what messages call each file, see ``name_file``, and its content."""
        if self.is_tar:
            # In the archive's own order: a compressed one cannot go back.
            for member, data in self._go_through_tar(read=True):
                yield name_file(self.path, member), data
        else:
            for member in self.stamps:
                yield name_file(self.path, member), read_file(self.path, member)

    def _list(self) -> Iterator[tuple[str, str]]:
        if self.path.is_dir():
            for folder, _, names in os.walk(self.path):
                below = Path(folder).relative_to(self.path).as_posix()
                for name in filter(self._wants, names):
                    if not os.path.exists(path := os.path.join(folder, name)):
                        raise FileNotFoundError(
                            f"{path}: a link to a file that is not there; remove it or "
                            "restore the file"
                        )
                    status = os.stat(path)
                    stamp = f"{status.st_size} {status.st_mtime_ns}"
                    yield name if below == "." else f"{below}/{name}", stamp
        elif not self.path.is_file():
            raise FileNotFoundError(
                f"{self.path}: neither an archive nor a folder; give the path of the "
                "archive of the original files or of the folder it unpacks to"
            )
        elif self.is_tar:
            for member, _ in self._go_through_tar(read=False):
                yield member, ""
        else:
            with _open_zip(self.path) as archive:
                for info in archive.infolist():
                    if self._wants(PurePosixPath(info.filename).name):
                        yield info.filename, f"{info.file_size} {info.CRC:08x}"

    def _wants(self, name: str) -> bool:
        # Archives made on a Mac carry a hidden '._' twin of every file.
        return not name.startswith("._") and any(
            fnmatchcase(name, pattern) for pattern in self._patterns
        )

    def _go_through_tar(self, read: bool) -> Iterator[tuple[str, bytes]]:
        member = ""
        try:
            with tarfile.open(self.path) as archive:
                for info in archive:
                    if not info.isfile() or not self._wants(Path(info.name).name):
                        continue
                    member = f" after {info.name}"
                    if info.size > MOST_BYTES:
                        raise tarfile.ReadError(f"a file of {info.size:,} bytes")
                    stream = archive.extractfile(info) if read else None
                    yield info.name, stream.read() if stream else b""
        except Exception as error:  # each compression has exceptions of its own
            raise ValueError(
                f"{self.path}: not readable as a tar archive{member} "
                f"({type(error).__name__}: {error}); {_REMEDY}"
            ) from error


def name_file(source: Path, member: str) -> str:
    """Returns what messages call a file; it ends in its path in the source."""
    return f"{source}/{member}" if os.path.isdir(source) else f"{source}: {member}"


def read_file(source: Path, member: str) -> bytes:
    """Reads a file of a folder or zip archive; a broken one is a ``ValueError``."""
    if os.path.isdir(source):
        return Path(source, member).read_bytes()
    archive = _open_archive(source, source.stat().st_mtime_ns, os.getpid())
    where = name_file(source, member)
    try:
        size = archive.getinfo(member).file_size
        # What is unpacked beyond this size is cut off by zipfile.
        data = archive.read(member) if size <= MOST_BYTES else None
    except Exception as error:  # each compression has exceptions of its own
        raise ValueError(
            f"{where}: cannot be read from the archive ({type(error).__name__}: "
            f"{error}); {_REMEDY}"
        ) from error
    if data is None:
        raise ValueError(
            f"{where}: would take {size:,} bytes unpacked, and no recording takes more "
            f"than {MOST_BYTES:,}; {_REMEDY}"
        )
    return data


@lru_cache(maxsize=4)
def _open_archive(path: Path, time: int, process: int) -> zipfile.ZipFile:
    """Opens once per process: forked ones share, and move, a position in the file."""
    return _open_zip(path)


def _open_zip(path: Path) -> zipfile.ZipFile:
    open(path, "rb").close()  # else it would count as damaged
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # struct.error, UnicodeDecodeError, OSError, ...
        raise ValueError(
            f"{path}: not a readable zip archive ({type(error).__name__}: {error}); "
            f"{_REMEDY}"
        ) from error
