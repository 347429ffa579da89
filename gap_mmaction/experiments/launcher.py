"""How trainings and tests are started, and who may start them in a work dir."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gap_mmaction
from gap_mmaction.utils.files import try_lock


class RunFailedError(RuntimeError):
    """A training or a test that has failed; the message names its log."""


@dataclass(frozen=True)
class Launcher:
    """Starts tools: here, a training in several processes, or in a Slurm partition."""

    tools: Path
    processes: int = 1
    partition: str | None = None
    job_name: str = "gap"

    def command(self, tool: str, *arguments: str | Path) -> list[str]:
        """Returns the command of ``train`` or ``test`` with its arguments."""
        script, words = self.tools / f"{tool}.py", [str(word) for word in arguments]
        if self.partition is not None:
            script = self.tools / f"slurm_{tool}.sh"
            return ["bash", str(script), self.partition, self.job_name, *words]
        if tool == "train" and self.processes > 1:
            config, *rest = words
            script = self.tools / "dist_train.sh"
            return ["bash", str(script), config, str(self.processes), *rest]
        return [sys.executable, str(script), *words]

    def call(self, log: Path, tool: str, *arguments: str | Path) -> None:
        """Runs a tool until its end or ours, and logs its output; or RunFailedError."""
        package = str(Path(gap_mmaction.__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        gpus = str(self.processes if tool == "train" else 1)
        own = {"PYTHONPATH": path, "PYTHON": sys.executable, "PYTHONUNBUFFERED": "1"}
        with log.open("ab") as output:
            child = subprocess.Popen(
                self.command(tool, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **own, "GPUS": gpus},
                close_fds=False,  # it shares the lock of the work dir
            )
        try:
            status = child.wait()
        except BaseException:
            child.terminate()
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
        if status:
            error = _last_error(log)
            raise RunFailedError(f"exit status {status}: {error} (log: {log})")


def _last_error(log: Path) -> str:
    """Returns the last message of an exception in a log, or else its last line."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (errors or list(filter(None, lines)) or ["no output"])[-1]


@contextmanager
def sole_use(work_dir: Path, tool: str) -> Iterator[None]:
    """Keeps a work dir to one process of a tool, and ends it in order on a signal.

    The kernel holds the lock, so nothing is left over from a process that was killed;
    a training that outlives it has the lock until it ends. The work dir is made. A
    RuntimeError says that another process has it; Ctrl-C and SIGTERM become a
    SystemExit with 128 and the signal's number.
    """

    def stop(number: int, frame: object) -> None:
        name = signal.Signals(number).name
        print(f"\nstopped by {name}: the same command goes on from here", flush=True)
        raise SystemExit(128 + number)

    work_dir.mkdir(parents=True, exist_ok=True)
    with (work_dir / f"{tool}.lock").open("ab") as stream:
        if not try_lock(stream):
            raise RuntimeError(
                f"{work_dir}: another tools/{tool}.py, or a training that it has left, "
                "is at work there. Wait until it has ended, or give another --work-dir"
            )
        os.set_inheritable(stream.fileno(), True)
        before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
