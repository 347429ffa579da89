"""The journal: no answer that was paid for is lost."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from gap_mmaction.utils.atomic_file import sync_folder, try_lock

from .question import Key
from .record import Record

_HEADER = json.dumps({"journal": "gap-generation/1"}).encode("ascii") + b"\n"


class JournalError(ValueError):
    """A journal that cannot be used; the message names the file and the way out."""


class Journal:
    """A file of answers that only ever grows.

    The first line names the format; each other one is a :class:`Record` in JSON, on
    the disk before the next question is put. A last line that a crash cut off is
    removed when the journal is opened again. One run at a time can have it open.

    Use it in a ``with`` statement.

    Args:
        path: The file; it is made, with its folders, if it is not there.

    Raises:
        JournalError: On opening, if the file is no journal, damaged, or in use.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.cut_off = 0
        """Bytes of a last line that a crash cut off, found on opening."""
        self._records: dict[Key, list[Record]] = {}
        self._stream: BinaryIO | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Journal:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: what could not be written is not written later by accident.
        stream = open(self.path, "a+b", buffering=0)
        try:
            self._claim(stream)
            stream.seek(0)
            data = stream.read()
            records, whole = _read(self.path, data)
            self.cut_off = len(data) - whole
            if self.cut_off:
                stream.truncate(whole)
            if not whole:
                _write(stream, _HEADER)
                sync_folder(self.path.parent)
            elif not data[:whole].endswith(b"\n"):
                # The crash took nothing but the end of the line.
                _write(stream, b"\n")
        except BaseException:
            stream.close()
            raise
        self._records = _by_key(records)
        self._stream = stream
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def answers(self, key: Key) -> list[Record]:
        """List the answers to a question, the newest last."""
        with self._lock:
            return list(self._records.get(key, ()))

    def append(self, record: Record) -> None:
        """Keep an answer; it is on the disk when this returns. Threads may call it.

        Raises:
            JournalError: If it cannot be written; the message holds the answer.
        """
        if self._stream is None:
            raise JournalError(f"{self.path}: the journal is not open")
        with self._lock:
            try:
                _write(self._stream, record.to_line())
            except OSError as error:
                raise JournalError(
                    f"{self.path}: cannot be written ({error}). The answer that is not "
                    f"in it, to {record.prompt!r}: {record.answer!r}"
                ) from error
            self._records.setdefault(record.key, []).append(record)

    def _claim(self, stream: BinaryIO) -> None:
        """Keep other runs out, which would pay for the same answers."""
        if not try_lock(stream):
            raise JournalError(
                f"{self.path}: another run has this journal open; wait for it, or give "
                "this one a --journal of its own"
            )


def read_journal(path: str | os.PathLike[str]) -> dict[Key, list[Record]]:
    """Read a journal without opening it for writing.

    Args:
        path: The file; one that is not there holds nothing.

    Returns:
        The answers to every question, the newest last.

    Raises:
        JournalError: If it is no journal, or damaged.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return {}
    return _by_key(_read(Path(path), data)[0])


def _by_key(records: Iterable[Record]) -> dict[Key, list[Record]]:
    table: dict[Key, list[Record]] = {}
    for record in records:
        table.setdefault(record.key, []).append(record)
    return table


def _read(path: Path, data: bytes) -> tuple[list[Record], int]:
    """Read the records, and count the bytes up to a line that was cut off."""
    if not data.startswith(_HEADER):
        if _HEADER.startswith(data):  # a crash at the very beginning
            return [], 0
        raise JournalError(
            f"{path}: this is no journal of tools/generate_descriptions.py; give "
            "--journal another name"
        )
    *lines, tail = data[len(_HEADER) :].split(b"\n")
    records = []
    for number, line in enumerate(lines, start=2):
        try:
            records.append(Record.from_line(line))
        except ValueError as error:
            raise JournalError(
                f"{path}, line {number}: this is no answer ({error}). The journal is "
                "damaged; move the line elsewhere to go on without it, its question "
                "is then asked anew"
            ) from None
    if tail:
        try:
            records.append(Record.from_line(tail))
        except ValueError:
            return records, len(data) - len(tail)
    return records, len(data)


def _write(stream: BinaryIO, data: bytes) -> None:
    start = stream.seek(0, os.SEEK_END)
    view = memoryview(data)
    try:
        while view:
            view = view[stream.write(view) :]
        stream.flush()
        os.fsync(stream.fileno())
    except OSError:
        # Half a line must not stand before the next one.
        stream.truncate(start)
        raise
