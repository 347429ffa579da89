"""The original files of a data set: a folder, a zip or a tar archive."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path, PurePosixPath

from gap_mmaction.utils.zip_source import MOST_BYTES, open_zip, read_member

_REMEDY = "download the archive again"
_TAR_SUFFIXES = (".tar", ".tgz", ".txz")


class Source:
    """The files of certain names, read one after the other, nothing is unpacked.

    Args:
        path: A folder, read with its subfolders, or an archive (zip, tar, tar.xz,
            tar.gz).
        patterns: Names of the files, such as ``*.json``; others are passed over.

    Raises:
        FileNotFoundError: If the path does not exist or has no such file.
        ValueError: If it is a file but no such archive.
    """

    def __init__(self, path: str | PathLike[str], patterns: Sequence[str]) -> None:
        self.path = Path(path)
        self._patterns = tuple(patterns)
        if self.path.is_dir():
            members = [
                file.relative_to(self.path).as_posix()
                for file in self.path.rglob("*")
                if file.is_file()
            ]
        elif not self.path.is_file():
            raise FileNotFoundError(
                f"{path}: neither an archive nor a folder; give the path of the zip or "
                "tar archive of the original files or of the folder it unpacks to"
            )
        elif self._is_tar():
            members = [info.name for info, _ in self._go_through_tar(read=False)]
        else:
            with open_zip(path, _REMEDY) as archive:
                members = archive.namelist()
        self._members = sorted(filter(self._is_wanted, members))
        if not self._members:
            raise FileNotFoundError(
                f"{path}: no file named {' or '.join(patterns)} in it; give the path "
                "of the original files as they were downloaded"
            )

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Read the files.

        Yields:
            What to call the file in messages, which ends in its path in the source,
            and its content.

        Raises:
            ValueError: If the archive is broken there; the message names the file.
        """
        if self.path.is_dir():
            for member in self._members:
                yield f"{self.path}/{member}", (self.path / member).read_bytes()
        elif self._is_tar():
            # In the archive's own order: a compressed one cannot go back.
            for info, data in self._go_through_tar(read=True):
                yield f"{self.path}: {info.name}", data
        else:
            with open_zip(self.path, _REMEDY) as archive:
                for member in self._members:
                    data = read_member(archive, member, _REMEDY)
                    yield f"{self.path}: {member}", data

    def _is_tar(self) -> bool:
        name = self.path.name.lower()
        return ".tar." in name or name.endswith(_TAR_SUFFIXES)

    def _is_wanted(self, member: str) -> bool:
        name = PurePosixPath(member).name
        # Archives made on a Mac carry a hidden '._' twin of every file.
        return not name.startswith("._") and any(
            fnmatchcase(name, pattern) for pattern in self._patterns
        )

    def _go_through_tar(self, read: bool) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
        member = ""
        try:
            with tarfile.open(self.path) as archive:
                for info in archive:
                    if not info.isfile() or not self._is_wanted(info.name):
                        continue
                    member = f" after {info.name}"
                    if info.size > MOST_BYTES:
                        raise tarfile.ReadError(f"a file of {info.size:,} bytes")
                    stream = archive.extractfile(info) if read else None
                    yield info, stream.read() if stream else b""
        except Exception as error:  # each compression has exceptions of its own
            raise ValueError(
                f"{self.path}: not readable as a tar archive{member} "
                f"({type(error).__name__}: {error}); {_REMEDY}"
            ) from error
