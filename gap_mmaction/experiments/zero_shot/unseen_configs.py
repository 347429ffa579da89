"""From a config of all classes to that of a training on some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gap_mmaction.apis import ClipFeatures
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.utils.config_options import read_config
from gap_mmaction.utils.config_text import lookup
from gap_mmaction.utils.loader_data import annotated_data
from gap_mmaction.utils.paths import find_shipped_file

from ..runs import RunConfig, refuse_run_settings
from ..schedule import epoch_length, epochs_of, scale_schedule
from .class_split import HELD_OUT, TRAIN, ClassSplit, write_seen_data

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
        epochs: Length of the training; None for that of the config.
        options: Further settings, as ``--cfg-options`` gives them.
        num_folds: One of so many folds of the training split is held out.

    Attributes:
        settings: All settings of the config, the options included.
        num_classes: Number of all classes.
        descriptions: The description file of all classes.
        features: The file of their text features, None where the config has none.
        layout: The layout of the skeletons.
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
        options: Mapping[str, Any] | None = None,
        num_folds: int = 10,
    ) -> None:
        self.config = config
        self.epochs = epochs
        self.options = dict(options or {})
        self.num_folds = num_folds
        refuse_run_settings(self.options, "--seed")
        self.settings = read_config(config, self.options)
        self.num_classes = int(self._setting("model.cls_head.num_classes"))
        descriptions = self._setting("model.text_branch.prompts.descriptions")
        self.descriptions = find_shipped_file(descriptions)
        self.features = lookup(self.settings.model, "text_branch.features")
        self.layout = lookup(self.settings.model, "backbone.graph_cfg.layout")
        (self._train_file, self._train_split), (self.ann_file, self.test_split) = (
            self._data(loader, ann_file)
            for loader in ("train_dataloader", "test_dataloader")
        )

    def make(self, split: ClassSplit, folder: Path) -> tuple[RunConfig, Path]:
        """Writes the data of a training and makes its config.

        Args:
            split: What is trained on.
            folder: The folder for the data.

        Returns:
            The config, and the annotation file of the training.

        Raises:
            FileNotFoundError: If a file is not there.
            pickle.UnpicklingError: If the annotation file is none.
            ValueError: If config, options and data do not fit one another.
        """
        changes: dict[str, Any] = {"model.cls_head.num_classes": len(split.seen)}
        places = []
        for loader, name in _SPLITS.items():
            if self.settings.get(loader) is not None:
                data = annotated_data(self.settings, loader)
                places.append(".".join((loader, *data.keys)))
                changes[f"{places[-1]}.split"] = name
                if data.settings.get("num_classes") is not None:
                    changes[f"{places[-1]}.num_classes"] = len(split.seen)
        for key in changes:
            if key in self.options:
                raise ValueError(
                    f"--cfg-options: sets {key}, which is up to tools/zero_shot.py "
                    "(see --unseen, --ann-file and --epochs)"
                )
        seen = write_seen_data(
            *(self._train_file, self._train_split, self.descriptions, split),
            *(folder.absolute(), self.num_folds),
        )
        changes.update({f"{place}.ann_file": str(seen.annotations) for place in places})
        texts = str(seen.descriptions)
        changes["model.text_branch.prompts.descriptions"] = texts
        config = read_config(self.settings)
        times = annotated_data(config, "train_dataloader").times
        length = epoch_length(config.train_dataloader, seen.num_train * times)
        if self.epochs is not None:
            config.merge_from_dict(scale_schedule(config, self.epochs, length))
            config = read_config(config, self.options)
        config.merge_from_dict(changes)
        iterations = length * epochs_of(config)
        return RunConfig(config, iterations, self._train_file), seen.annotations

    def _setting(self, key: str) -> Any:
        found = lookup(self.settings._cfg_dict, key)
        if found is None:
            raise ValueError(
                f"{self.config}: {key} is not set; zero-shot needs a text branch with "
                "descriptions, by which unseen classes are named, and splits"
            )
        return found

    def _data(self, loader: str, ann_file: Path | None) -> tuple[Path, str]:
        """Returns the annotation file of a loader, and its split."""
        data = annotated_data(self.settings, loader)
        split = self._setting(".".join((loader, *data.keys, "split")))
        return (ann_file or Path(data.settings["ann_file"])).absolute(), str(split)


@dataclass(frozen=True)
class OtherSet:
    """A data set of the same joints, of which nothing is trained on.

    Attributes:
        configs: Its config.
        title: Which of its classes training lacks, and which it has.
        classes: Names of the classes of training, and after them of the lacking ones.
        places: Of each of its classes among these.
        split: These classes, the lacking ones unseen.
    """

    configs: ZeroShotConfigs
    title: str
    classes: tuple[str, ...]
    places: tuple[int, ...]
    split: ClassSplit

    def join(
        self, held_out: ClipFeatures, test: ClipFeatures
    ) -> tuple[ClipFeatures, ClipFeatures]:
        """Gives clips of training and of this data set the texts of all classes."""
        new = np.isin(self.places, self.split.unseen)
        texts = torch.cat([held_out.class_features, test.class_features[new]])
        labels = np.array(self.places)[test.labels]
        return (
            replace(held_out, classes=self.classes, class_features=texts),
            replace(test, labels=labels, classes=self.classes, class_features=texts),
        )


def match_sets(
    trained: ZeroShotConfigs,
    others: Sequence[ZeroShotConfigs],
    same: Sequence[tuple[str, str]] = (),
) -> list[OtherSet]:
    """Finds out which classes of other data sets a training lacks, by their labels.

    Args:
        trained: The config of the training.
        others: Those of the others.
        same: Further classes that are the same in other words: of training, of others.

    Raises:
        ValueError: If one has other joints, or training lacks too few or all of its
            classes; if two have one name, or there is no such class in ``same``.
    """
    if len({item.config.stem for item in others}) < len(others):
        raise ValueError("the configs of the other sets must have different names")
    own, *theirs = (
        tuple(load_class_names(str(item.descriptions), item.num_classes))
        for item in (trained, *others)
    )
    for first, second in same:
        if first not in own or not any(second in names for names in theirs):
            raise ValueError(
                f"--same {first}={second}: must be a class of {trained.config} "
                f"({', '.join(own)}), and one of another set"
            )
    words = {second: first for first, second in same}
    found = []
    for configs, names in zip(others, theirs):
        if configs.layout != trained.layout:
            raise ValueError(
                f"{configs.config}: its joints are those of {configs.layout}, "
                f"{trained.config} has {trained.layout}; they must be the same"
            )
        named = [words.get(name, name) for name in names]
        lacking = [name for name in named if name not in own]
        there = ", ".join(name for name in named if name in own)
        title = f"{configs.config.stem}: {', '.join(lacking)} (trained on: {there})"
        if not 2 <= len(lacking) < len(names):
            raise ValueError(
                f"{title}: at least two classes must be lacking, to be told apart, and "
                "one must be trained on (see --same)"
            )
        classes = (*own, *lacking)
        places = tuple(classes.index(name) for name in named)
        split = ClassSplit(len(classes), tuple(range(len(own), len(classes))))
        found.append(OtherSet(configs, title, classes, places, split))
    return found
