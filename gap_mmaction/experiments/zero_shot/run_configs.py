"""From a config of all classes to that of a training on some of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gap_mmaction.utils.config_text import flatten
from gap_mmaction.utils.loader_data import annotated_data
from gap_mmaction.utils.paths import find_shipped_file

from ..run_config import (
    RunConfig,
    config_text,
    keep_two_checkpoints,
    merge,
    nest,
    refuse_run_settings,
    resolve,
)
from ..schedule import scale_schedule
from .class_split import ClassSplit
from .seen_data import HELD_OUT, TRAIN, SeenData, write_seen_data

_TOOL = "tools/zero_shot.py"
_SPLITS = {
    "train_dataloader": TRAIN,
    "val_dataloader": HELD_OUT,
    "test_dataloader": HELD_OUT,
}


class ZeroShotConfigs:
    """Makes the configs of trainings that lack classes.

    Args:
        config: The config of all classes, with a text branch.
        ann_file: The annotation file; None for that of the config.
        epochs: Length of the training, the schedule in proportion; None for that of
            the config.
        options: Further settings, ``KEY=VALUE``.
        num_folds: One of so many folds of the training split is held out.

    Attributes:
        settings: All settings of the config, the options included.
        num_classes: Number of all classes.
        descriptions: The description file of all classes.
        features: The file of their text features, None where the config has none.
        layout: Name of the layout of the skeletons.
        ann_file: The annotation file.
        test_split: Its split that is tested on.

    Raises:
        FileNotFoundError: If the config is not there.
        ValueError: If it cannot be trained without classes.
    """

    def __init__(
        self,
        config: Path,
        ann_file: Path | None = None,
        epochs: int | None = None,
        options: Sequence[str] = (),
        num_folds: int = 10,
    ) -> None:
        if not config.is_file():
            raise FileNotFoundError(f"there is no config {config}")
        refuse_run_settings(options, "--seed")
        self.config = config.absolute()
        self.epochs = epochs
        self.options = tuple(options)
        self.num_folds = num_folds
        self.settings = resolve(config_text(self.config, {}), options)
        model = self._setting("model")
        self.num_classes = int(self._setting("model", "cls_head", "num_classes"))
        branch = model.get("text_branch") or {}
        prompts = branch.get("prompts") or {}
        if prompts.get("descriptions") is None:
            raise ValueError(
                f"{config}: has no text branch with descriptions "
                "(model.text_branch.prompts.descriptions), by which unseen classes "
                "are named"
            )
        self.descriptions = find_shipped_file(prompts["descriptions"])
        self.features: str | None = branch.get("features")
        self.layout = (model["backbone"].get("graph_cfg") or {}).get("layout")
        train = annotated_data(self.settings, "train_dataloader").settings
        test = annotated_data(self.settings, "test_dataloader").settings
        for name, dataset in (("train", train), ("test", test)):
            if dataset.get("split") is None:
                raise ValueError(
                    f"{config}: {name}_dataloader.dataset.split is not set; zero-shot "
                    "needs an annotation file with splits"
                )
        self.train_split = str(train["split"])
        self.test_split = str(test["split"])
        self.ann_file = (ann_file or Path(test["ann_file"])).absolute()
        self._train_file = (ann_file or Path(train["ann_file"])).absolute()
        self._made: dict[ClassSplit, tuple[RunConfig, SeenData]] = {}

    def make(self, split: ClassSplit, folder: Path) -> tuple[RunConfig, SeenData]:
        """Write the data of a training and make its config.

        Args:
            split: What is trained on.
            folder: The folder for the data.

        Returns:
            The config, and the data.

        Raises:
            FileNotFoundError: If a file is not there.
            pickle.UnpicklingError: If the annotation file is none.
            ValueError: If config, options and data do not fit one another.
        """
        if split not in self._made:
            self._made[split] = self._make(split, folder)
        return self._made[split]

    def _make(self, split: ClassSplit, folder: Path) -> tuple[RunConfig, SeenData]:
        data = write_seen_data(
            *(self._train_file, self.train_split, self.descriptions, split),
            *(folder.absolute(), self.num_folds),
        )
        loader = self.settings["train_dataloader"]
        times = annotated_data(self.settings, "train_dataloader").times
        steps = data.num_train * times / int(loader["batch_size"])
        length = math.floor(steps) if loader.get("drop_last") else math.ceil(steps)
        changes = self._changes(split, data)
        if self.epochs is not None:
            schedule = scale_schedule(self.settings, self.epochs, max(1, length))
            changes = merge(changes, schedule)
        text = config_text(self.config, changes, _TOOL)
        resolved = resolve(text, self.options)
        self._check_options(changes, resolved)
        epochs = (resolved.get("train_cfg") or {}).get("max_epochs")
        if not isinstance(epochs, int):
            raise ValueError(
                f"{self.config}: train_cfg.max_epochs is not set: runs are counted in "
                "epochs"
            )
        config = RunConfig(
            *(self.config, text, resolved, self.options, epochs),
            *(max(1, length) * epochs, self._train_file, 1),
        )
        return config, data

    def _changes(self, split: ClassSplit, data: SeenData) -> dict[str, Any]:
        count = len(split.seen)
        changes: dict[str, Any] = {
            "model": {
                "cls_head": {"num_classes": count},
                "text_branch": {"prompts": {"descriptions": str(data.descriptions)}},
            }
        }
        for key, name in _SPLITS.items():
            if self.settings.get(key) is None:
                continue
            dataset, keys, _ = annotated_data(self.settings, key)
            values: dict[str, Any] = {"ann_file": str(data.annotations), "split": name}
            if dataset.get("num_classes") is not None:
                values["num_classes"] = count
            changes = merge(changes, {key: nest(keys, values)})
        return merge(changes, keep_two_checkpoints(self.settings))

    def _check_options(
        self, changes: Mapping[str, Any], resolved: Mapping[str, Any]
    ) -> None:
        """Refuse options that undo what makes the training one without classes."""
        there = flatten(resolved)
        for key, value in flatten(changes).items():
            if there.get(key) != value:
                raise ValueError(
                    f"--cfg-options: sets {key}, which is up to {_TOOL} (see --unseen, "
                    "--ann-file and --epochs)"
                )

    def _setting(self, *keys: str) -> Any:
        found: Any = self.settings
        for key in keys:
            found = (found or {}).get(key)
        if found is None:
            raise ValueError(f"{self.config}: {'.'.join(keys)} is not set")
        return found
