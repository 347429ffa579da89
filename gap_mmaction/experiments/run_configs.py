"""From a run to its config."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gap_mmaction.utils.loader_data import annotated_data

from .annotations import SplitSizes
from .benchmark import BENCHMARKS
from .run_config import (
    RunConfig,
    check_options,
    config_text,
    keep_two_checkpoints,
    merge,
    nest,
    options_for,
    parse_options,
    read_config,
    resolve,
)
from .run_spec import RunSpec
from .schedule import scale_schedule
from .variant import RANDOM

PARTS = ("train", "val")
_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


class RunConfigs:
    """Makes the configs of runs, all with the same settings.

    Args:
        folder: ``configs/gap``.
        sizes: Counts the samples of splits.
        ann_file: The annotation file; None for that of the configs.
        epochs: Length of the training; None for that of the configs.
        processes: Processes of a training. The batch over all of them is the one that
            the config's learning rate is meant for.
        options: Further settings, ``KEY=VALUE``.
        may_lack_data: Whether the annotation file need not be there, as nothing is
            trained.
        steps: Length of the training in iterations, to half an epoch, in place of
            ``epochs``.
        parts: The parts of a split that train and test, ``("fit", "dev")`` to choose
            settings by.

    Raises:
        ValueError: If an option cannot be had.
    """

    def __init__(
        self,
        folder: Path,
        sizes: SplitSizes,
        ann_file: Path | None = None,
        epochs: int | None = None,
        processes: int = 1,
        options: Sequence[str] = (),
        may_lack_data: bool = False,
        steps: int | None = None,
        parts: tuple[str, str] = PARTS,
    ) -> None:
        check_options(options)
        self.folder = folder
        self.sizes = sizes
        self.ann_file = ann_file
        self.epochs = epochs
        self.processes = processes
        self.options = tuple(options)
        self.may_lack_data = may_lack_data
        self._bases: dict[Path, dict[str, Any]] = {}
        self.steps = steps
        self.parts = parts
        self._made: dict[RunSpec, RunConfig] = {}
        self._folds: dict[str, tuple[Path, int]] = {}

    def base(self, benchmark: str, stream: str) -> dict[str, Any]:
        """Read the config of a stream.

        Raises:
            FileNotFoundError: If it is not there.
        """
        path = BENCHMARKS[benchmark].config_file(self.folder, stream)
        if path not in self._bases:
            self._bases[path] = read_config(path)
        return self._bases[path]

    def data_of(self, benchmark: str) -> tuple[Path, str]:
        """Give the annotation file of a benchmark and its training split."""
        base = self.base(benchmark, "joint")
        dataset = annotated_data(base, "train_dataloader").settings
        path = self.ann_file or Path(dataset["ann_file"])
        return path.absolute(), dataset["split"]

    def class_sizes(self, benchmark: str) -> list[Counter[str]]:
        """Count the training clips of each class.

        Returns:
            By label, for each fold; nothing where the data need not be there and are
            not.
        """
        data, split = self.data_of(benchmark)
        if self.may_lack_data and not data.is_file():
            return []
        folds: Sequence[int | None] = BENCHMARKS[benchmark].folds or (None,)
        names = [_split(split, fold, self.parts[0]) for fold in folds]
        return [self.sizes.classes(data, name) for name in names]

    def use_folds(self, benchmark: str, path: Path, count: int) -> None:
        """Name the annotation file for the runs of a cross-validation.

        Args:
            benchmark: Name of the benchmark.
            path: The file, which need not be there yet.
            count: Number of folds.
        """
        self._folds[benchmark] = (path, count)

    def make(self, spec: RunSpec) -> RunConfig:
        """Make the config of a run.

        Args:
            spec: The run. Runs that differ in their seeds have the same, unless more
                than the training is drawn with these.

        Returns:
            The config.

        Raises:
            FileNotFoundError: If the config or the annotation file is not there.
            ValueError: If the settings do not fit the config or the data.
        """
        drawn = spec.shots or spec.variant.shuffled or spec.variant.encoder == RANDOM
        key = spec if drawn else replace(spec, seed=0)
        if key not in self._made:
            path = BENCHMARKS[spec.benchmark].config_file(self.folder, spec.stream)
            try:
                self._made[key] = self._make(spec, path)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
        return self._made[key]

    def _make(self, spec: RunSpec, path: Path) -> RunConfig:
        base = self.base(spec.benchmark, spec.stream)
        options = options_for(self.options, spec.variant.has_texts)
        changes: dict[str, Any] = {
            "model": spec.variant.changes(base["model"], spec.seed)
        }
        data, data_changes = self._data_changes(spec, base)
        changes = merge(changes, data_changes)
        changes = merge(changes, self._batch_changes(base))
        changes = merge(changes, keep_two_checkpoints(base))
        resolved = resolve(config_text(path, changes), options)
        length, epochs, times = self._length(resolved, spec)
        changes = merge(changes, times)
        if epochs is not None:
            changes = merge(changes, scale_schedule(base, epochs, length))
        text = config_text(path, changes)
        resolved = resolve(text, options)
        epochs = (resolved.get("train_cfg") or {}).get("max_epochs")
        if not isinstance(epochs, int):
            raise ValueError(
                "train_cfg.max_epochs is not set: runs are counted in epochs"
            )
        iterations = None if length is None else length * epochs
        return RunConfig(
            *(path, text, resolved, options, epochs, iterations, data, self.processes)
        )

    def _data_changes(
        self, spec: RunSpec, base: Mapping[str, Any]
    ) -> tuple[Path, dict[str, Any]]:
        """Point the dataloaders at the annotation file, or at a fold."""
        data, split = self.data_of(spec.benchmark)
        if spec.fold is not None:
            data, _ = self._folds.get(spec.benchmark, (data, 0))
        changes: dict[str, Any] = {}
        for loader, part in zip(_LOADERS, (*self.parts, self.parts[1])):
            keys = annotated_data(base, loader).keys
            values: dict[str, Any] = {"ann_file": str(data)}
            if spec.fold is not None or self.parts != PARTS:
                values["split"] = _split(split, spec.fold, part)
            if spec.shots is not None and loader == _LOADERS[0]:
                values.update(samples_per_class=spec.shots, subset_seed=spec.seed)
            changes[loader] = nest(keys, values)
        return data, changes

    def _batch_changes(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the batch over all processes as the recipe has it."""
        meant = (base.get("auto_scale_lr") or {}).get("base_batch_size")
        given = "train_dataloader.batch_size" in parse_options(self.options)
        own = base["train_dataloader"]["batch_size"]
        if meant is None or given or own * self.processes == meant:
            return {}
        if meant % self.processes:
            raise ValueError(
                f"--gpus {self.processes}: the recipe's batch of {meant} cannot be "
                "dealt evenly; take a number that divides it, or set the batch of a "
                "process with --cfg-options train_dataloader.batch_size=... (and "
                "optim_wrapper.optimizer.lr with it)"
            )
        return {"train_dataloader": {"batch_size": meant // self.processes}}

    def _length(
        self, resolved: Mapping[str, Any], spec: RunSpec
    ) -> tuple[int | None, int | None, dict[str, Any]]:
        """Work out how long the training is.

        Few clips are repeated so often that an epoch is about as long as one with all
        clips, or at least half as long, whichever comes nearest to the iterations of
        the training with all clips.

        Returns:
            Iterations of an epoch, None where the data are not there; epochs, None for
            the config's; and changes of the training data.
        """
        dataset, keys, times = annotated_data(resolved, _LOADERS[0])
        few, steps, changes = dataset.get("samples_per_class"), self.steps, {}
        try:
            samples = self._count(dataset, spec, few)
            every = self._count(dataset, spec, None)
        except FileNotFoundError:
            if self.may_lack_data:
                return None, self.epochs, {}
            raise
        if spec.shots is not None:
            whole = self._iterations(resolved, every * times)
            epochs = self.epochs or resolved["train_cfg"]["max_epochs"]
            steps = steps or epochs * whole
            if len(keys) > 1:  # there is a RepeatDataset around it
                most = max(1, round(every * times / samples))

                def miss(times: int) -> int:
                    length = self._iterations(resolved, samples * times)
                    return abs(steps - _epochs(steps, length) * length)

                times = min(range(most, most // 2, -1), key=miss)
                changes = nest((_LOADERS[0], *keys[:-1], "times"), times)
        length = self._iterations(resolved, samples * times)
        epochs = self.epochs if steps is None else _epochs(steps, length)
        return length, epochs, changes

    def _count(self, dataset: Mapping[str, Any], spec: RunSpec, few: int | None) -> int:
        """Count the clips of the training split."""
        data, split, part = Path(dataset["ann_file"]), dataset.get("split"), 1.0
        if spec.benchmark in self._folds and not data.is_file():
            # The folds are made when training starts; they are nearly equal.
            _, count = self._folds[spec.benchmark]
            data, split = self.data_of(spec.benchmark)
            part = 1 - 1 / count
        return math.ceil(self.sizes.get(data, split, few) * part)

    def _iterations(self, resolved: Mapping[str, Any], samples: int) -> int:
        """Count the iterations of an epoch with so many samples."""
        loader = resolved[_LOADERS[0]]
        per_process = math.ceil(samples / self.processes)
        batch = int(loader["batch_size"])
        if loader.get("drop_last"):
            return max(1, per_process // batch)
        return math.ceil(per_process / batch)


def _epochs(steps: int, length: int) -> int:
    """Give the number of epochs that comes nearest to a number of iterations."""
    return max(1, round(steps / length))


def _split(split: str, fold: int | None, part: str) -> str:
    """Name the part of a fold, or of the split that a training split is of."""
    name = split.rpartition("_")[0] if fold is None else f"fold{fold}"
    return f"{name}_{part}"
