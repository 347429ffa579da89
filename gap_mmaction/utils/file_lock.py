"""Locks on files that are gone with the process that held them."""

from __future__ import annotations

from typing import Any, BinaryIO

fcntl: Any
try:
    import fcntl
except ImportError:  # not on Windows: there, nobody is kept out
    fcntl = None


def try_lock(stream: BinaryIO, shared: bool = False) -> bool:
    """Lock an open file, without waiting.

    The lock is the kernel's: it lasts until the file is closed, or its process ends.

    Args:
        stream: The file.
        shared: Whether others may have a shared lock on it too.

    Returns:
        False if somebody else's lock is in the way. True also where there are no locks,
        as on some network file systems.
    """
    if fcntl is None:
        return True
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
