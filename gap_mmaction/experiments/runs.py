"""A run: its config, its folder, its training and its result."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.config_text import differences, flatten
from gap_mmaction.utils.strict_json import parse_json
from gap_mmaction.utils.versions import collect_versions

from .launcher import Launcher, RunFailedError
from .schedule import epochs_of

_RECORD = "run.json"


class RunConfig(NamedTuple):
    """All settings of a run, its annotation file ``data``, and the processes.

    ``iterations`` are those of the training, None where the data are not there.
    """

    settings: Config
    iterations: int | None
    data: Path
    processes: int = 1


def refuse_run_settings(options: Iterable[str], seeds: str) -> None:
    """Raises ValueError at an option that every run has a value of its own for."""
    for key in options:
        if key.split(".")[0] in ("randomness", "work_dir", "resume", "load_from"):
            way_out = f"each run has its own; see {seeds} and --work-dir"
            raise ValueError(f"--cfg-options {key}=...: {way_out}")


class Run:
    """A run in its folder of a work dir, whose files docs/reproduce.md lists.

    ``record`` is what ``run.json`` says; ``epochs`` are those of the whole training.

    Raises:
        ValueError: If the folder is that of a run with other settings.
    """

    def __init__(self, work_dir: Path, name: str, seed: int, config: RunConfig) -> None:
        self.path = work_dir / name
        self.name = name
        self.seed = seed
        self.config = config
        self.epochs = epochs_of(config.settings)
        settings = json.loads(json.dumps(config.settings.to_dict(), default=repr))
        batch, data = settings["train_dataloader"]["batch_size"], config.data
        size = data.stat().st_size if data.is_file() else None
        self.record: dict[str, Any] = {
            "config": settings,
            "total_batch": config.processes * batch,
            "iterations": config.iterations,
            "data": {"file": str(data), "bytes": size},
            "versions": {},
            "minutes": 0.0,
            "result": None,
        }
        there = _read_record(self.path, self.record)
        if there is not None:
            _check_settings(self.path, there, self.record)
            self.record = there

    @property
    def result(self) -> Any:
        """What it has come to, a dict; None before it has ended."""
        return self.record["result"]

    @property
    def epochs_done(self) -> int:
        """Epochs that need not be trained again, by the name of the last checkpoint."""
        last = self.path / "train" / "last_checkpoint"
        text = last.read_text("utf-8") if last.is_file() else ""
        found = re.search(r"epoch_(\d+)\.pth", text)
        return int(found[1]) if found else 0

    @property
    def epochs_left(self) -> int:
        """Epochs that are left to train."""
        return 0 if self.result else self.epochs - self.epochs_done

    @property
    def iterations_left(self) -> int | None:
        """Iterations that are left, None where the data are not there."""
        left = self.epochs_left / self.epochs
        total = self.config.iterations if left else 0
        return None if total is None else round(total * left)

    def _train(self, launcher: Launcher) -> Path:
        """Trains, from the last checkpoint on; returns the last epoch's."""
        config, folder = self.path / "config.py", self.path / "train"
        self.config.settings.dump(config)
        launcher.call(
            *(self.path / "train.log", "train", config, "--work-dir", folder),
            *("--seed", str(self.seed), "--resume"),
        )
        checkpoint = folder / f"epoch_{self.epochs}.pth"
        if not checkpoint.is_file():
            raise RunFailedError(f"training has ended without {checkpoint}")
        return checkpoint

    def _write(self) -> None:
        with atomic_file(self.path / _RECORD) as stream:
            stream.write(json.dumps(self.record, indent=1).encode() + b"\n")

    def make(self, launcher: Launcher, evaluate: Evaluate) -> None:
        """Trains, from the last checkpoint on, and evaluates, see :func:`make_runs`."""
        start, before = time.monotonic(), self.record["minutes"]
        self.record["versions"] = collect_versions()
        # First, so that there is never a folder of which nothing is known.
        self._write()
        try:
            checkpoint = self._train(launcher)
            self.record["result"] = evaluate(self, checkpoint)
        finally:
            self.record["minutes"] = before + (time.monotonic() - start) / 60
            self._write()
        for path in checkpoint.parent.glob("epoch_*.pth"):
            if path != checkpoint:
                path.unlink()


Evaluate = Callable[[Run, Path], dict[str, Any]]
"""Makes the result of a run from its last checkpoint."""


def _read_record(folder: Path, keys: Iterable[str]) -> dict[str, Any] | None:
    """Reads the record of a run; None if it has not begun."""
    file = folder / _RECORD
    way_out = f"Move the folder {folder} away, or give another --work-dir"
    if not file.is_file():
        if (folder / "train").exists():
            raise ValueError(f"{folder}: has a training but no {_RECORD}. {way_out}")
        return None
    try:
        record = parse_json(file.read_text("utf-8"))
        return {key: record[key] for key in keys}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: no record of a run ({error!r}). {way_out}") from None


def _check_settings(
    folder: Path, there: Mapping[str, Any], asked: Mapping[str, Any]
) -> None:
    """Refuses a folder of a run with other settings than those that are asked for."""
    ended = there["result"] is not None

    def settings(record: Mapping[str, Any]) -> dict[str, Any]:
        flat = flatten(record["config"])
        flat["batch size over all processes"] = record["total_batch"]
        if ended:
            # One process or eight with an eighth of the batch each: the same recipe,
            # but nothing to resume with.
            del flat["train_dataloader.batch_size"]
        # A fold's file or a moved data set may not be there to be measured.
        if None not in (there["data"]["bytes"], asked["data"]["bytes"]):
            flat["data.bytes"] = record["data"]["bytes"]
        return flat

    lines = differences(settings(there), settings(asked))
    if lines:
        what = "a run" if ended else "an unfinished run"
        raise ValueError(
            f"{folder}: {what} with other settings, {len(lines)} in all: "
            f"{'; '.join(lines[:3])}. Give another --work-dir, or the settings it has"
        )


def make_runs(
    runs: Sequence[Run],
    launcher: Launcher,
    evaluate: Evaluate,
    ended: Callable[[Run], object],
) -> list[str]:
    """Makes runs, one after the other; one that fails does not keep others from it.

    Args:
        runs: The runs.
        launcher: Starts the trainings.
        evaluate: Makes their results.
        ended: Is told each run that has ended.

    Returns:
        A line for each run that has failed.
    """
    failed = []
    for number, run in enumerate(runs, start=1):
        head = f"[{number}/{len(runs)}] {run.name}:"
        epochs = f"{run.epochs} epochs, {run.epochs_done} are there"
        print(head, f"training {epochs}", flush=True)
        try:
            run.make(launcher, evaluate)
        except RunFailedError as error:
            failed.append(f"{run.name}: {error}")
            print(head, f"failed: {error}", flush=True)
        else:
            ended(run)
            shown = f"{run.result['top1']:.1f} %" if "top1" in run.result else "done"
            print(head, f"{shown} after {run.record['minutes']:.1f} min", flush=True)
    return failed
