"""Zip archives of data sets, whatever is in the file."""

from __future__ import annotations

import zipfile
from os import PathLike, fspath

MOST_BYTES = 2**28
"""Of one unpacked file. The longest recordings are below a hundredth of it."""


def open_zip(path: str | PathLike[str], remedy: str) -> zipfile.ZipFile:
    """Opens an archive, to be closed by the caller.

    Raises:
        ValueError: If it is none or damaged; the message ends with ``remedy``.
    """
    open(path, "rb").close()  # else it would count as damaged
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # struct.error, UnicodeDecodeError, OSError, ...
        raise ValueError(
            f"{fspath(path)}: not a readable zip archive ({type(error).__name__}: "
            f"{error}); {remedy}"
        ) from error


def read_member(archive: zipfile.ZipFile, member: str, remedy: str) -> bytes:
    """Unpacks one file into memory.

    Raises:
        ValueError: If it is not there, damaged, encrypted or unreasonably large; the
            message ends with ``remedy``.
    """
    where = f"{archive.filename}: {member}"
    try:
        size = archive.getinfo(member).file_size
        # What is unpacked beyond this size is cut off by zipfile.
        data = archive.read(member) if size <= MOST_BYTES else None
    except Exception as error:  # each compression has exceptions of its own
        raise ValueError(
            f"{where}: cannot be read from the archive ({type(error).__name__}: "
            f"{error}); {remedy}"
        ) from error
    if data is None:
        raise ValueError(
            f"{where}: would take {size:,} bytes unpacked, and no recording takes more "
            f"than {MOST_BYTES:,}; {remedy}"
        )
    return data
