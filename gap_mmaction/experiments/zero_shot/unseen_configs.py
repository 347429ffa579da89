"""From a config of all classes to that of a training on some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gap_mmaction.apis import ClipFeatures
from gap_mmaction.apis.clip_features import check_label
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.models.text.descriptions import load_descriptions, write_descriptions
from gap_mmaction.utils.config_options import read_config
from gap_mmaction.utils.config_text import lookup
from gap_mmaction.utils.loader_data import annotated_data
from gap_mmaction.utils.paths import find_shipped_file
from gap_mmaction.utils.restricted_pickle import write_annotations

from ..annotation_splits import read_split, sample_name
from ..folds import make_folds
from ..runs import RunConfig, refuse_run_settings
from ..schedule import epoch_length, epochs_of, scale_schedule
from .class_split import ClassSplit

HELD_OUT = "held_out"
_TRAIN = "train_dataloader"


class ZeroShotConfigs:
    """Makes the configs of trainings that lack classes.

    Args:
        config: The config of all classes, with a text branch.
        ann_file: The annotation file; None for that of the config.
        epochs: Length of the training; None for that of the config.
        options: Further settings, as ``--cfg-options`` gives them.
        num_folds: One of so many folds of the training split is held out, see
            :func:`.folds.make_folds`.

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
        """Writes data with nothing of the unseen classes in them, and makes the config.

        Returns:
            The config, and the annotation file of the training, which has the splits
            ``train`` and :data:`HELD_OUT`; its labels are places in ``split.seen``.

        Raises:
            FileNotFoundError: If a file is not there.
            pickle.UnpicklingError: If the annotation file is none.
            ValueError: If config, options and data do not fit one another.
        """
        changes: dict[str, Any] = {"model.cls_head.num_classes": len(split.seen)}
        places = []
        for loader in (_TRAIN, "val_dataloader", "test_dataloader"):
            if self.settings.get(loader) is not None:
                data = annotated_data(self.settings, loader)
                places.append(".".join((loader, *data.keys)))
                part = "train" if loader == _TRAIN else HELD_OUT
                changes[f"{places[-1]}.split"] = part
                if data.settings.get("num_classes") is not None:
                    changes[f"{places[-1]}.num_classes"] = len(split.seen)
        for key in changes:
            if key in self.options:
                raise ValueError(
                    f"--cfg-options: sets {key}, which is up to tools/zero_shot.py "
                    "(see --unseen, --ann-file and --epochs)"
                )
        annotations, num_train = self._write_clips(split, folder)
        texts = str(self._write_descriptions(split, folder))
        changes["model.text_branch.prompts.descriptions"] = texts
        changes.update({f"{place}.ann_file": str(annotations) for place in places})
        config = read_config(self.settings)
        samples = num_train * annotated_data(config, _TRAIN).times
        length = epoch_length(config[_TRAIN], samples)
        if self.epochs is not None:
            config.merge_from_dict(scale_schedule(config, self.epochs, length))
            config = read_config(config, self.options)
        config.merge_from_dict(changes)
        iterations = length * epochs_of(config)
        return RunConfig(config, iterations, self._train_file), annotations

    def _write_clips(self, split: ClassSplit, folder: Path) -> tuple[Path, int]:
        """Writes the clips of seen classes; returns how many are not held out."""
        source = self._train_file
        where = f"annotation file {source}, split '{self._train_split}'"
        chosen, found = [], set()
        for item in read_split(source, self._train_split):
            clip = f"{where}: {sample_name(item)}"
            label = check_label(item.get("label"), split.num_classes, clip)
            found.add(label)
            if label in split.seen:
                chosen.append({**item, "label": split.seen.index(label)})
        for absent in sorted(set(range(split.num_classes)) - found):
            raise ValueError(f"{where}: there is no clip of class {absent}")
        names = [str(sample_name(item)) for item in chosen]
        labels = [item["label"] for item in chosen]
        try:
            is_train = make_folds(names, labels, self.num_folds).of != 0
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        # The name tells what the file is of.
        stem = f"{source.stem}_{self._train_split}_{source.stat().st_size}-bytes"
        path = folder / f"{stem}_{self.num_folds}-folds_{split.name}.pkl"
        if not path.is_file():
            parts = {"train": is_train, HELD_OUT: ~is_train}
            splits = {part: np.array(names)[of].tolist() for part, of in parts.items()}
            write_annotations({"split": splits, "annotations": chosen}, path)
        return path, int(is_train.sum())

    def _write_descriptions(self, split: ClassSplit, folder: Path) -> Path:
        source = self.descriptions
        actions = load_descriptions(source)
        if len(actions) != split.num_classes:
            head = f"the model has model.cls_head.num_classes={split.num_classes}"
            raise ValueError(f"{source} describes {len(actions)} classes, {head}")
        path = folder / f"{source.stem}_{split.name}.yaml"
        fields = [
            {name: t[0] if len(t) == 1 else t for name, t in actions[c].fields.items()}
            for c in split.seen
        ]
        names = ", ".join(f"{label} {actions[label].label}" for label in split.unseen)
        header = f"Written by tools/zero_shot.py: {source.name} without {names}"
        write_descriptions(path, source.stem, fields, header)
        return path

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

    ``classes`` are those of training and, after them, the ones that training lacks;
    ``places`` are those of its own classes among these; ``split`` has the lacking ones
    unseen.
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

    ``same`` has further classes that are the same in other words: of training, of
    others.

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
