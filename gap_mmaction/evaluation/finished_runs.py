"""Runs that have ended, a line each in a CSV file that several machines share."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from gap_mmaction.utils.files import try_lock

ALL = "all"
Key = tuple[str, str, str, str, int, str, int]


class FinishedRun(NamedTuple):
    """A line of ``runs.csv``."""

    set: str
    table: str  # that it was first run for
    backbone: str  # and another width or stream than usual: ``ctrgcn@32 bone``
    arm: str  # plain, random, shuffled or gap
    shots: str  # training clips of each class, or ``all``
    seed: int
    fold: str  # such as fold1, xsub; fold1_dev tests on a part of the training split
    epochs: int
    top1: float = math.nan  # of the last epoch, in percent
    commit: str = "unknown"

    @property
    def key(self) -> Key:
        """What tells it from others: the table does not, as tables share runs."""
        return self[0], *self[2:8]


def read_runs(path: Path) -> list[FinishedRun]:
    """Reads the runs of a file, each once; none if the file is not there."""
    return _parse(path, path.read_text("utf-8")) if path.is_file() else []


def add_runs(path: Path, runs: Iterable[FinishedRun]) -> None:
    """Appends the runs that are not in a file yet; others may do so as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as stream:
        while not try_lock(stream):
            time.sleep(0.05)
        stream.seek(0)
        text = stream.read().decode()
        known = {run.key for run in _parse(path, text)} if text else set()
        new = {run.key: run for run in runs if run.key not in known}.values()
        out = io.StringIO()
        out.write("" if text.endswith("\n") or not text else "\n")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([] if text else [FinishedRun._fields])
        writer.writerows((*run[:8], f"{run.top1:.4f}", run.commit) for run in new)
        # One call, which no kill comes between.
        stream.write(out.getvalue().encode())


def _parse(path: Path, text: str) -> list[FinishedRun]:
    lines = csv.reader(io.StringIO(text))
    if tuple(next(lines, ())) != FinishedRun._fields:
        names = ",".join(FinishedRun._fields)
        raise ValueError(f"{path}: no file of runs, its first line is not {names}")
    runs: dict[Key, FinishedRun] = {}
    for number, line in enumerate(lines, start=2):
        try:
            of, table, net, arm, shots, seed, fold, epochs, top1, commit = line
            numbers = (int(seed), fold, int(epochs), float(top1))
            run = FinishedRun(of, table, net, arm, shots, *numbers, commit)
            few = 1 if shots == ALL else int(shots)
            if few < 1 or not 0 <= run.top1 <= 100:
                raise ValueError("shots or top1")
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number}: not a run ({error}): {','.join(line)!r}; "
                "correct or remove it"
            ) from error
        runs.setdefault(run.key, run)
    return list(runs.values())
