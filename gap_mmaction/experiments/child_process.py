"""A training or a test as a process that does not outlive us."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable

_PR_SET_PDEATHSIG = 1
_IS_LINUX = sys.platform == "linux"


def run_child(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    keep_open: Sequence[int] = (),
    beat: Callable[[], None] | None = None,
    interval: float = 30.0,
    grace: float = 60.0,
) -> int:
    """Run a command and wait for it.

    It has a process group of its own, so that Ctrl-C in a terminal reaches us alone.
    Any exception here, such as :class:`.interruption.Interrupted`, ends all of its
    processes; and on Linux it is told to end if we are killed.

    Args:
        command: The command.
        log: Where its output is added.
        environment: All of its environment.
        keep_open: File descriptors that it inherits.
        beat: Called every now and then while it runs.
        interval: Seconds between these calls.
        grace: Seconds that it has to end before it is killed; torchrun gives its own
            processes 30.

    Returns:
        Its exit status, negative if a signal has ended it.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True) if _IS_LINUX else None

    def die_with_parent() -> None:
        assert libc is not None
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was killed before we could ask
            os._exit(1)

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            pass_fds=tuple(keep_open),
            start_new_session=True,
            preexec_fn=die_with_parent if _IS_LINUX else None,
        )
    try:
        while True:
            try:
                return child.wait(interval)
            except subprocess.TimeoutExpired:
                if beat is not None:
                    beat()
    except BaseException:
        _end(child, grace)
        raise


def _end(child: subprocess.Popen[bytes], grace: float) -> None:
    """End a process and all it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            continue
    child.wait()
