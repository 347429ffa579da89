"""A run: its config, its length, its folder, its training and its result."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from gap_mmaction.utils.config_parts import differences, flatten, lookup
from gap_mmaction.utils.files import (
    file_digest,
    find_shipped_file,
    parse_json,
    write_file,
)
from gap_mmaction.utils.versions import collect_versions

from .launcher import Launcher, RunFailedError

_RECORD = "run.json"
# Of these, all that counts epochs or iterations is named in _scale.
_KNOWN = ("LinearLR", "ConstantLR", "CosineAnnealingLR", "MultiStepLR", "PolyLR")


class RunConfig(NamedTuple):
    """All settings of a run; ``iterations`` are None where the ``data`` are absent."""

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


def epochs_of(config: Mapping[str, Any]) -> int:
    """Returns the epochs of a config's training; ValueError if it counts no epochs."""
    epochs = (config.get("train_cfg") or {}).get("max_epochs")
    if not isinstance(epochs, int):
        raise ValueError("train_cfg.max_epochs is not set: runs are counted in epochs")
    return epochs


def epoch_length(loader: Mapping[str, Any], samples: float, processes: int = 1) -> int:
    """Returns the iterations of an epoch of so many samples."""
    batches = math.ceil(samples / processes) / int(loader["batch_size"])
    return max(1, int(batches) if loader.get("drop_last") else math.ceil(batches))


def scale_schedule(
    config: Mapping[str, Any], epochs: int, length: int | None
) -> dict[str, Any]:
    """Returns what a config is merged with to train for so many epochs, or nothing.

    Warm-up, milestones and the end of a cosine move in proportion. As they then lie
    within epochs, they are given in iterations. ``length`` are those of an epoch; None,
    for a mere estimate, leaves the learning rate's schedule as it is. A ValueError says
    that the config does not train by epochs, or that a scheduler has no length.
    """
    own = epochs_of(config)
    if epochs == own:
        return {}
    interval = max(1, round(config["train_cfg"].get("val_interval", 1) * epochs / own))
    train = {"max_epochs": epochs, "val_interval": interval}
    schedulers = config.get("param_scheduler")
    if not schedulers or length is None:
        return {"train_cfg": train}
    if isinstance(schedulers, Mapping):
        schedulers = [schedulers]
    scaled = [
        _scale(item, epochs / own, length, epochs * length) for item in schedulers
    ]
    return {"train_cfg": train, "param_scheduler": list(filter(None, scaled))}


def _scale(
    scheduler: Mapping[str, Any], factor: float, length: int, total: int
) -> dict[str, Any] | None:
    """Scales one; None for a warm-up that is shorter than an iteration."""
    scaled = dict(scheduler)
    kind = scaled.get("type")
    if kind not in _KNOWN:
        raise ValueError(
            f"param_scheduler of type {kind!r}: --epochs can scale "
            f"{', '.join(_KNOWN)}; give a config with the length you want instead"
        )
    unit = factor * (length if scaled.pop("by_epoch", True) else 1)
    scaled.pop("convert_to_iter_based", None)

    def move(position: float) -> float:
        # A share of the training, see SkeletonRunner, is one of any length.
        return position if isinstance(position, float) else round(position * unit)

    for key in ("begin", "end", "T_max"):
        if scaled.get(key) is not None:
            scaled[key] = move(scaled[key])
    if scaled.get("milestones") is not None:
        scaled["milestones"] = list(map(move, scaled["milestones"]))
    scaled["by_epoch"] = False
    begin, end = scaled.get("begin", 0), scaled.get("end", total)
    return scaled if end > begin else None


def _digests_of_texts(settings: Config) -> dict[str, str]:
    """Returns the SHA-256 of what a run's texts are read from, where that is there."""
    digests = {}
    for key in ("prompts.descriptions", "features"):
        path = lookup(settings._cfg_dict, f"model.text_branch.{key}")
        if path is not None and find_shipped_file(path).is_file():
            digests[key] = file_digest(find_shipped_file(path))
    return digests


class Run:
    """A run in its folder of a work dir, whose files docs/reproduce.md lists.

    ``record`` is what ``run.json`` says; ``epochs`` are those of the whole training. A
    ValueError says that the folder is that of a run with other settings.
    """

    def __init__(self, work_dir: Path, name: str, seed: int, config: RunConfig) -> None:
        self.path, self.name = work_dir / name, name
        self.seed, self.config = seed, config
        self.epochs = epochs_of(config.settings)
        settings = json.loads(json.dumps(config.settings.to_dict(), default=repr))
        batch = settings["train_dataloader"]["batch_size"]
        digest = file_digest(config.data) if config.data.is_file() else None
        self.record: dict[str, Any] = {
            "config": settings,
            "total_batch": config.processes * batch,
            "iterations": config.iterations,
            "data": {"file": str(config.data), "sha256": digest},
            "texts": _digests_of_texts(config.settings),
            "versions": {},
            "minutes": 0.0,
            "result": None,
        }
        self.record = self._read()

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

    def _write(self) -> None:
        write_file(self.path / _RECORD, json.dumps(self.record, indent=1) + "\n")

    def make(self, launcher: Launcher, evaluate: Evaluate) -> None:
        """Trains, from the last checkpoint on, and evaluates, see :func:`make_runs`."""
        start, before = time.monotonic(), self.record["minutes"]
        self.record["versions"] = collect_versions()
        # First, so that there is never a folder of which nothing is known.
        self._write()
        config, folder = self.path / "config.py", self.path / "train"
        last = folder / f"epoch_{self.epochs}.pth"
        self.config.settings.dump(config)
        try:
            launcher.call(
                *(self.path / "train.log", "train", config, "--work-dir", folder),
                *("--seed", str(self.seed), "--resume"),
            )
            if not last.is_file():
                raise RunFailedError(f"training has ended without {last}")
            self.record["result"] = evaluate(self, last)
        finally:
            self.record["minutes"] = before + (time.monotonic() - start) / 60
            self._write()
        for path in folder.glob("epoch_*.pth"):
            if path != last:
                path.unlink()

    def _read(self) -> dict[str, Any]:
        """Returns the record that is there, or ours; refuses one of other settings."""
        file, ours = self.path / _RECORD, self.record
        way_out = f"Move the folder {self.path} away, or give another --work-dir"
        if not file.is_file():
            if (self.path / "train").exists():
                where = f"{self.path}: has a training but no {_RECORD}"
                raise ValueError(f"{where}. {way_out}")
            return ours
        try:
            # Earlier versions had no texts.
            content = {"texts": None, **parse_json(file.read_text("utf-8"))}
            there = {key: content[key] for key in ours}
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{file}: no record of a run ({error!r})"
            raise ValueError(f"{reason}. {way_out}") from None
        ended = there["result"] is not None

        def settings(record: Mapping[str, Any]) -> dict[str, Any]:
            flat = flatten(record["config"])
            flat["batch size over all processes"] = record["total_batch"]
            if ended:
                # One process or eight with an eighth of the batch each: the same
                # recipe, but nothing to resume with.
                del flat["train_dataloader.batch_size"]
            # A fold's file or a moved data set may not be there to be measured.
            if None not in (there["data"].get("sha256"), ours["data"]["sha256"]):
                flat["data.sha256"] = record["data"]["sha256"]
            if None not in (there["texts"], ours["texts"]):
                flat |= flatten(record["texts"], "sha256")
            return flat

        lines = differences(settings(there), settings(ours))
        if lines:
            what = "a run" if ended else "an unfinished run"
            found = f"{what} with other settings, {len(lines)} in all"
            way_out = "Give another --work-dir, or the settings it has"
            raise ValueError(f"{self.path}: {found}: {'; '.join(lines[:3])}. {way_out}")
        return there


Evaluate = Callable[[Run, Path], dict[str, Any]]
"""Makes the result of a run from its last checkpoint."""


def make_runs(
    runs: Sequence[Run],
    launcher: Launcher,
    evaluate: Evaluate,
    ended: Callable[[Run], object],
) -> list[str]:
    """Makes runs, one after the other; one that fails does not keep others from it.

    Those that have ended are given to ``ended``. Returns a line for each that failed.
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
