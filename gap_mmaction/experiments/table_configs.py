"""From a run of a table to its config."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from gap_mmaction.utils.command_line import read_config
from gap_mmaction.utils.config_parts import annotated_data
from gap_mmaction.utils.files import file_digest

from .annotation_splits import FOLDS, class_sizes, write_folds
from .runs import (
    RunConfig,
    epoch_length,
    epochs_of,
    refuse_run_settings,
    scale_schedule,
)
from .tables import DATA_SETS, RunSpec

PARTS = ("train", "val")
_Length = tuple[int | None, int | None]
_TRAIN = "train_dataloader"
_TEXT_BRANCH = "model.text_branch"


@dataclass
class TableConfigs:
    """Makes the configs of runs, from those in a folder, all with the same settings."""

    folder: Path
    ann_file: Path | None = None
    epochs: int | None = None
    steps: int | None = None  # iterations, to half an epoch, in place of epochs
    processes: int = 1  # they share the batch that the learning rate is meant for
    options: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[str, str] = PARTS  # of a split, to train and to test on
    may_lack_data: bool = False  # as nothing is trained
    _folds: Path | None = None

    def __post_init__(self) -> None:
        """Refuses options that would make all runs of a table alike."""
        refuse_run_settings(self.options, "--seeds")
        for key in {_TEXT_BRANCH, "model"} & set(self.options):
            raise ValueError(f"--cfg-options {key}=...: set with and without GAP")

    def base(self, data_set: str, stream: str = "joint") -> Config:
        """Returns the config of a stream, which is not to be changed."""
        suffix = "" if stream == "joint" else f"_{stream}"
        path = self.folder / f"{DATA_SETS[data_set].config}{suffix}.py"
        return _read(path.resolve())

    def class_sizes(self, data_set: str) -> list[Counter[str]]:
        """Counts the training clips of each class by fold, if the data are there."""
        path, split = self._data_of(data_set)
        if self.may_lack_data and not path.is_file():
            return []
        folds: Sequence[int | None] = DATA_SETS[data_set].folds or (None,)
        return [class_sizes(path, _split(split, f, self.parts[0])) for f in folds]

    def use_folds(self, data_set: str, folder: Path) -> str | None:
        """Points runs at folds of the training split, an annotation file in a folder.

        Returns a line on what was made, if it was not there yet.
        """
        path, split = self._data_of(data_set)
        digest = file_digest(path)[:8] if path.is_file() else "absent"
        # Another version of the data makes another file.
        self._folds = folder / f"{data_set}_{split}_{digest}.pkl"
        if self.may_lack_data or self._folds.is_file():
            return None
        return write_folds(path, split, FOLDS, self._folds)

    def make(self, spec: RunSpec) -> RunConfig:
        """Makes the config of a run; ValueError where settings and data do not fit."""
        base, options = self.base(spec.data_set, spec.stream), dict(self.options)
        if not spec.variant.has_texts:
            for key in [key for key in options if key.startswith(f"{_TEXT_BRANCH}.")]:
                del options[key]
        config = read_config(base)
        try:
            data = self._point_at_data(config, spec)
            model = spec.variant.changes(base.model, spec.seed)
            batch = {"batch_size": self._batch_size(base)}
            config.merge_from_dict({"model": model, _TRAIN: batch})
            # Once for the length, and once more as they have the last word.
            config = read_config(config, options)
            length, epochs = self._set_length(config, spec)
            if epochs is not None:
                config.merge_from_dict(scale_schedule(base, epochs, length))
            config = read_config(config, options)
            iterations = None if length is None else length * epochs_of(config)
        except ValueError as error:
            raise ValueError(f"{base.filename}: {error}") from error
        return RunConfig(config, iterations, data, self.processes)

    def _data_of(self, data_set: str) -> tuple[Path, str]:
        """Returns the annotation file of a data set and its training split."""
        data = annotated_data(self.base(data_set), _TRAIN).settings
        return (self.ann_file or Path(data["ann_file"])).absolute(), data["split"]

    def _point_at_data(self, config: Config, spec: RunSpec) -> Path:
        """Points the dataloaders at the annotation file, or at a fold."""
        path, split = self._data_of(spec.data_set)
        path = path if spec.fold is None else self._folds or path
        for loader in (_TRAIN, "val_dataloader", "test_dataloader"):
            values: dict[str, Any] = {"ann_file": str(path)}
            if spec.fold is not None or self.parts != PARTS:
                part = self.parts[loader != _TRAIN]
                values["split"] = _split(split, spec.fold, part)
            if spec.shots is not None and loader == _TRAIN:
                values.update(samples_per_class=spec.shots, subset_seed=spec.seed)
            keys = annotated_data(config, loader).keys
            config.merge_from_dict({".".join((loader, *keys)): values})
        return path

    def _batch_size(self, base: Config) -> int:
        """Returns the batch of a process: over all of them it is the recipe's."""
        own = int(base[_TRAIN]["batch_size"])
        meant = (base.get("auto_scale_lr") or {}).get("base_batch_size")
        if meant is None or f"{_TRAIN}.batch_size" in self.options:
            return own
        if meant % self.processes:
            raise ValueError(
                f"--gpus {self.processes}: the recipe's batch of {meant} cannot be "
                "dealt evenly; take a divisor, or set the batch of a process by "
                "--cfg-options train_dataloader.batch_size=... (and optimizer.lr)"
            )
        return int(meant // self.processes)

    def _set_length(self, config: Config, spec: RunSpec) -> _Length:
        """Returns the iterations of an epoch and the epochs, None for the config's.

        Few clips are repeated so often that an epoch is half to once as long as one
        with all clips, whichever comes nearest to the iterations of a training with all
        clips. Without the data iterations are None.
        """
        data, keys, times = annotated_data(config, _TRAIN)
        path, split, share = Path(data["ann_file"]), data.get("split"), 1.0
        if path == self._folds and not path.is_file():
            # The folds are made when training starts; they are nearly equal.
            (path, split), share = self._data_of(spec.data_set), 1 - 1 / FOLDS
        if self.may_lack_data and not path.is_file():
            return None, self.epochs
        sizes, few = class_sizes(path, split).values(), data.get("samples_per_class")
        samples = share * sum(size if few is None else min(size, few) for size in sizes)

        def length(samples: float) -> int:
            return epoch_length(config[_TRAIN], samples, self.processes)

        steps = self.steps
        if spec.shots is not None:
            every = share * sum(sizes) * times
            steps = steps or (self.epochs or epochs_of(config)) * length(every)
            if len(keys) > 1:  # there is a RepeatDataset around it
                most = max(1, round(every / samples))

                def miss(times: int) -> int:
                    one = length(samples * times)
                    return abs(steps - _epochs(steps, one) * one)

                times = min(range(most, most // 2, -1), key=miss)
                repeated = ".".join((_TRAIN, *keys[:-1]))
                config.merge_from_dict({f"{repeated}.times": times})
        found = length(samples * times)
        return found, self.epochs if steps is None else _epochs(steps, found)


@functools.cache
def _read(path: Path) -> Config:
    return read_config(path)


def _epochs(steps: int, length: int) -> int:
    """Returns the number of epochs that comes nearest to a number of iterations."""
    return max(1, round(steps / length))


def _split(split: str, fold: int | None, part: str) -> str:
    """Names the part of a fold, or of the split that a training split is of."""
    name = split.rpartition("_")[0] if fold is None else f"fold{fold}"
    return f"{name}_{part}"
