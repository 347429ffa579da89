"""A lock that keeps two runs of ``tools/reproduce.py`` or its like apart."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from gap_mmaction.utils.atomic_file import try_lock


class WorkDirLockedError(RuntimeError):
    """Somebody else has the work dir; the message says who."""


class WorkDirLock:
    """The right to run trainings in a work dir.

    The kernel holds it, so it is gone with whoever had it: nothing is left over from a
    process that was killed. The trainings that are started share it. One that outlives
    the tool that started it keeps others out until it has ended.

    Use it in a ``with`` statement.

    Args:
        work_dir: The work dir, made if it is not there.
        patience: Seconds to wait for somebody who is about to end.
        tool: The tool's name, without its suffix.

    Raises:
        WorkDirLockedError: On entering, if it is taken.
    """

    def __init__(
        self, work_dir: Path, patience: float = 5.0, tool: str = "reproduce"
    ) -> None:
        self.path = work_dir / f"{tool}.lock"
        self.patience = patience
        self.tool = tool
        self._stream: BinaryIO | None = None

    @staticmethod
    def is_taken(work_dir: Path) -> bool:
        """Say whether somebody has a work dir, without touching anything."""
        path = work_dir / "reproduce.lock"
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return not try_lock(stream, shared=True)

    @property
    def files(self) -> tuple[int, ...]:
        """File descriptors for child processes to inherit."""
        return () if self._stream is None else (self._stream.fileno(),)

    def __enter__(self) -> WorkDirLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stream = open(self.path, "a+b")
        try:
            self._claim(stream)
            stream.truncate(0)
            owner = {"host": socket.gethostname(), "pid": os.getpid()}
            stream.write(json.dumps(owner).encode() + b"\n")
            stream.flush()
        except BaseException:
            stream.close()
            raise
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

    def _claim(self, stream: BinaryIO) -> None:
        deadline = time.monotonic() + self.patience
        while not try_lock(stream):
            if time.monotonic() >= deadline:
                raise WorkDirLockedError(self._message(stream))
            time.sleep(0.1)

    def _message(self, stream: BinaryIO) -> str:
        stream.seek(0)
        owner = stream.read().decode("utf-8", "replace").strip() or "unknown"
        return (
            f"{self.path.parent}: another tools/{self.tool}.py, or a training that it "
            f"has left, is at work there (started by {owner}). Wait until it has "
            "ended, end it, or give another --work-dir"
        )
