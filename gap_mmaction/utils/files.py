"""Files: written in full or not at all, locked, found where they ship, JSON."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from matplotlib.figure import Figure

fcntl: Any
try:
    import fcntl
except ImportError:  # not on Windows: there, nobody is kept out
    fcntl = None

PART = ".part"
_PACKAGE = Path(__file__).resolve().parents[1]


def file_digest(path: str | PathLike[str]) -> str:
    """Returns the SHA-256 of a file, read again only where its time has changed."""
    status = os.stat(path)
    return _digest(os.fspath(path), status.st_size, status.st_mtime_ns)


@lru_cache
def _digest(path: str, *stamp: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def atomic_file(path: str | PathLike[str], durable: bool = False) -> Iterator[BinaryIO]:
    """Opens a file for writing that takes its place once it is complete.

    Until then it has the name ``<name>.<letters>.part`` in the same folder; a process
    that is killed while it writes leaves that behind. Folders are made; if the block
    raises, what was there before stays.

    Args:
        path: The file.
        durable: Whether file and name shall be on the disk before the block is left,
            in case the machine, and not only the process, ends.
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


def write_file(
    path: str | PathLike[str], content: str | bytes, durable: bool = False
) -> None:
    """Writes a file by :func:`atomic_file`; a text may hold names that are no text."""
    if isinstance(content, str):
        content = content.encode(errors="backslashreplace")
    with atomic_file(path, durable) as stream:
        stream.write(content)


def remove_parts(folder: str | PathLike[str], names: str) -> list[Path]:
    """Removes what killed writers have left behind, and returns it.

    Nobody else may be writing there. ``names`` is a pattern, as for ``Path.glob``, of
    the names that the files would have had.
    """
    # mkstemp adds eight letters, digits or underscores.
    parts = sorted(Path(folder).glob(f"{names}.{'[a-z0-9_]' * 8}{PART}"))
    for path in parts:
        path.unlink()
    return parts


def sync_folder(folder: str | PathLike[str]) -> None:
    """Brings the names in a folder to the disk, where the system can."""
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


def try_lock(stream: BinaryIO) -> bool:
    """Locks an open file until it is closed or its process ends, without waiting.

    Returns:
        False if somebody else's lock is in the way. True also where there are no
        locks, as on some network file systems.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def save_png(figure: Figure, path: Path) -> None:
    """Writes a picture, in full or not at all; its folder is made."""
    with atomic_file(path) as stream:
        figure.savefig(stream, format="png", dpi=150, bbox_inches="tight")


def shipping_roots() -> tuple[Path, ...]:
    """Returns where files that ship may be: here, beside the package, in a wheel."""
    return Path(), _PACKAGE.parent, _PACKAGE / ".mim"


def find_shipped_file(path: str | Path) -> Path:
    """Finds a file that a config names relative to the project's root.

    Returns:
        The first that exists in the :func:`shipping_roots`, so that configs work from
        any working directory; else ``path`` itself, for the caller's message.
    """
    path = Path(path)
    for root in shipping_roots():
        if (root / path).exists():
            return root / path
    return path


def find_description_file(name: str | Path) -> Path:
    """Finds a description file by its path, or by a name without suffix if it ships."""
    path = Path(name)
    if not path.suffix:
        path = Path(f"data/descriptions/{path}.yaml")
    return find_shipped_file(path)


def name_of_model(model: str) -> str:
    """Names a model, a folder by its own and its parent's name, without its place."""
    path = Path(model)
    return "/".join(path.resolve().parts[-2:]) if path.exists() else model


def parse_json(data: bytes | str) -> Any:
    """Reads JSON; raises a ``ValueError`` if it is none, or nested too deeply."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
