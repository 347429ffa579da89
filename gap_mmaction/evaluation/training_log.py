"""Curves of a training run, from the log that mmengine writes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gap_mmaction.utils.config_parts import lookup, parse_config_text
from gap_mmaction.utils.files import parse_json

_LOG = "vis_data/scalars.json"
_COUNTERS = ("epoch", "iter", "step")


@dataclass(frozen=True)
class TrainingLog:
    """What a run has logged."""

    path: str
    by_epoch: bool  # whether positions are epochs, else iterations
    curves: dict[str, tuple[np.ndarray, np.ndarray]]  # positions [n] and values [n]
    length: int  # the last position that has been logged
    planned: int | None  # the last one there was to be, where that is known

    @property
    def is_unfinished(self) -> bool:
        """Whether the run has stopped early, or is still under way."""
        return self.planned is not None and self.length < self.planned


def read_training_log(path: str | PathLike[str]) -> TrainingLog:
    """Reads the log of a run.

    A run that was resumed has one log for each start. What a later one has logged
    anew replaces what the earlier one had from there on.

    Args:
        path: The run's ``work_dir``, the folder of one start in it, or a
            ``scalars.json``. A last line that is cut off is left out.

    Raises:
        FileNotFoundError: If there is no log, as before the first line of one.
        ValueError: If a line is no log line, or no line is complete.
    """
    run = Path(path)
    records: list[dict[str, Any]] = []
    files = _find_logs(run)
    for file in files:
        records = _append(records, _read_lines(file))
    train = [record for record in records if "iter" in record]
    if not train:
        raise ValueError(
            f"{run}: the log has no complete line of training yet; wait for the first "
            "ones, or look into the run's .log for why it stopped"
        )
    by_epoch = all("epoch" in record for record in train)
    # A line is logged at the end of an epoch, where this is the epoch's length.
    epoch_length = max(r["iter"] / r["epoch"] for r in train) if by_epoch else 1.0
    points: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        in_training = "iter" in record
        position = record["iter"] / epoch_length if in_training else record["step"]
        # The times of testing have the names of those of training.
        left_out = _COUNTERS if in_training else (*_COUNTERS, "time", "data_time")
        for key, value in record.items():
            if key not in left_out and isinstance(value, (int, float)):
                points.setdefault(key, []).append((position, value))
    curves = {}
    for key, pairs in points.items():
        positions, values = np.array(pairs, dtype=np.float64).T
        curves[key] = (positions, values)
    length = train[-1]["epoch" if by_epoch else "iter"]
    config, planned = files[-1].parent / "config.py", None
    with contextlib.suppress(OSError, ValueError):
        settings = parse_config_text(config.read_text("utf-8"), config)
        keys = ("train_cfg.max_epochs", "train_cfg.max_iters")
        lengths = (lookup(settings, key) for key in keys)
        planned = next((value for value in lengths if isinstance(value, int)), None)
    return TrainingLog(str(run), by_epoch, curves, length, planned)


def _find_logs(run: Path) -> list[Path]:
    if run.is_file():
        return [run]
    if not run.is_dir():
        raise FileNotFoundError(f"{run}: there is no such run folder or log")
    # The folders are named by the time of the start.
    files = [run / _LOG] if (run / _LOG).is_file() else sorted(run.glob(f"*/{_LOG}"))
    if not files:
        raise FileNotFoundError(
            f"{run}: no {_LOG} in it or in a folder in it. Either this is not the "
            "work_dir of a training, or it stopped before the first line of the log"
        )
    return files


def _read_lines(file: Path) -> list[dict[str, Any]]:
    lines = file.read_text("utf-8").splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = parse_json(line)
        except ValueError:
            if number == len(lines):
                break
            record = None
        if not _is_record(record):
            raise ValueError(
                f"{file}: line {number} is no line of mmengine's scalars.json, a "
                f"dict of numbers with 'step': {line[:60]!r}"
            )
        records.append(record)
    return records


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or "step" not in record:
        return False
    counters = [record[key] for key in _COUNTERS if key in record]
    return all(isinstance(number, int) and number >= 0 for number in counters) and (
        record.get("epoch", 1) > 0
    )


def _append(
    earlier: list[dict[str, Any]], later: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Replaces earlier lines that a later start has made void."""
    first = next((record for record in later if "iter" in record), None)
    if first is None:
        return earlier + later
    key = "epoch" if "epoch" in first else "iter"
    return [r for r in earlier if r.get(key, r["step"]) < first[key]] + later
