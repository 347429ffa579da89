"""Zip archives of data sets, whatever is in the file."""

from __future__ import annotations

import zipfile
from os import PathLike, fspath

MOST_BYTES = 2**28
"""Of one unpacked file. The longest recordings are below a hundredth of it."""


def open_zip(path: str | PathLike[str], remedy: str) -> zipfile.ZipFile:
    """Open an archive.

    Args:
        path: The file.
        remedy: What error messages end with.

    Returns:
        The archive; it is to be closed.

    Raises:
        ValueError: If it is no archive, or its list of files is damaged.
        OSError: If the file cannot be opened.
    """
    # A file that cannot be opened is no damaged archive.
    with open(path, "rb"):
        pass
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # struct.error, UnicodeDecodeError, OSError, ...
        raise ValueError(
            f"{fspath(path)}: not a readable zip archive ({_reason(error)}); {remedy}"
        ) from error


def read_member(archive: zipfile.ZipFile, member: str, remedy: str) -> bytes:
    """Unpack one file into memory.

    Args:
        archive: The archive.
        member: The path in it.
        remedy: What error messages end with.

    Returns:
        The content.

    Raises:
        ValueError: If it is not there, damaged, encrypted or unreasonably large.
    """
    where = f"{archive.filename}: {member}"
    try:
        size = archive.getinfo(member).file_size
        # What is unpacked beyond this size is cut off by zipfile.
        data = archive.read(member) if size <= MOST_BYTES else None
    except Exception as error:  # each compression has exceptions of its own
        raise ValueError(
            f"{where}: cannot be read from the archive ({_reason(error)}); {remedy}"
        ) from error
    if data is None:
        raise ValueError(
            f"{where}: would take {size:,} bytes unpacked, and no recording takes more "
            f"than {MOST_BYTES:,}; {remedy}"
        )
    return data


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
