"""Files that are there in full or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO

PART = ".part"


@contextmanager
def atomic_file(path: str | PathLike[str], durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its place once it is complete.

    Until then it has the name ``<name>.<letters>.part`` in the same folder; a process
    that is killed while it writes leaves that behind.

    Args:
        path: Where; folders are made, a file already there is replaced. If the block
            raises, what was there before stays.
        durable: Whether the file shall be on the disk before it takes its place, and
            its name before the block is left, for a machine that loses its power. A
            killed process alone needs no such thing.

    Yields:
        The file, open for writing bytes.
    """
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        dir=out.parent, prefix=f"{out.name}.", suffix=PART
    )
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        # mkstemp makes the file private; give it the rights any new file would have.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, out)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable:
        sync_folder(out.parent)


def remove_parts(folder: str | PathLike[str], names: str) -> list[Path]:
    """Remove what killed writers have left behind.

    Nobody else may be writing there, as unfinished files look the same.

    Args:
        folder: The folder.
        names: A pattern of the names that the files would have had, as for
            ``Path.glob``.

    Returns:
        What was removed.
    """
    # mkstemp adds eight letters, digits or underscores.
    parts = sorted(Path(folder).glob(f"{names}.{'[a-z0-9_]' * 8}{PART}"))
    for path in parts:
        path.unlink()
    return parts


def sync_folder(folder: str | PathLike[str]) -> None:
    """Bring the names in a folder to the disk, where the system can.

    Args:
        folder: The folder.

    Raises:
        OSError: If the disk fails.
    """
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems have no such thing for folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
