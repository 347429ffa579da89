"""Runs that have ended, a line each in a CSV file that several machines share."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from gap_mmaction.utils.file_lock import try_lock

ALL = "all"


@dataclass(frozen=True)
class FinishedRun:
    """A line of ``runs.csv``.

    Attributes:
        set: The benchmark.
        table: The table that it was first run for.
        backbone: The network, with ``@32`` for a width that is not the config's.
        arm: ``plain``, ``random``, ``shuffled`` or ``gap``.
        shots: Training clips of each class, or ``all``.
        seed: Its seed.
        fold: The split: ``fold1``, ``xsub``; ``fold1_dev`` if it tests on a part of the
            training split.
        epochs: Length of the training.
        top1: Accuracy of the last epoch in percent.
        commit: The code's.
    """

    set: str
    table: str
    backbone: str
    arm: str
    shots: str
    seed: int
    fold: str
    epochs: int
    top1: float = math.nan
    commit: str = ""

    @property
    def key(self) -> tuple[str | int, ...]:
        """What tells it from others: the table does not, as tables share runs."""
        names = (self.set, self.backbone, self.arm, self.shots, self.fold)
        return (*names, self.seed, self.epochs)


COLUMNS = tuple(field.name for field in fields(FinishedRun))


def read_runs(path: Path) -> list[FinishedRun]:
    """Read a file of runs.

    Args:
        path: The file.

    Returns:
        The runs, each once; none if the file is not there.

    Raises:
        ValueError: If a line is not that of a run; the message names it.
    """
    if not path.is_file():
        return []
    return _parse(path, path.read_text("utf-8"))


def add_runs(path: Path, runs: Iterable[FinishedRun]) -> None:
    """Append runs to a file, those that are not in it yet.

    Others may append at the same time.

    Args:
        path: The file; it and its folder are made.
        runs: The runs.

    Raises:
        ValueError: As :func:`read_runs`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as stream:
        while not try_lock(stream):
            time.sleep(0.05)
        stream.seek(0)
        text = stream.read().decode()
        known = {run.key for run in _parse(path, text)} if text else set()
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        if not text:
            writer.writerow(COLUMNS)
        elif not text.endswith("\n"):
            out.write("\n")
        for run in runs:
            if run.key not in known:
                known.add(run.key)
                *values, top1, commit = astuple(run)
                writer.writerow([*values, f"{top1:.4f}", commit])
        # One call, which no kill and no other process can come between.
        stream.write(out.getvalue().encode())


def _parse(path: Path, text: str) -> list[FinishedRun]:
    lines = csv.reader(io.StringIO(text))
    if tuple(next(lines, ())) != COLUMNS:
        raise ValueError(f"{path}: the first line is not {','.join(COLUMNS)}")
    runs: dict[tuple[str | int, ...], FinishedRun] = {}
    for number, line in enumerate(lines, start=2):
        try:
            of, table, backbone, arm, shots, seed, fold, epochs, top1, commit = line
            names = (of, table, backbone, arm, shots)
            run = FinishedRun(*names, int(seed), fold, int(epochs), float(top1), commit)
            fits = run.shots == ALL or int(run.shots) > 0
            if not (fits and 0 <= run.top1 <= 100):
                raise ValueError("shots or top1")
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path}, line {number}: not a run ({error}): {','.join(line)!r}; "
                "correct or remove it"
            ) from error
        runs.setdefault(run.key, run)
    return list(runs.values())
