"""Which classes are unseen, and from a config of all to that of a training."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gap_mmaction.apis import ClipFeatures
from gap_mmaction.apis.clip_features import check_label
from gap_mmaction.datasets.annotation_check import name_of
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.models.text.descriptions import load_descriptions, write_descriptions
from gap_mmaction.utils.command_line import read_config
from gap_mmaction.utils.config_parts import annotated_data, lookup
from gap_mmaction.utils.files import file_digest, find_shipped_file
from gap_mmaction.utils.restricted_pickle import write_annotations

from ..annotation_splits import make_folds, read_split
from ..runs import (
    RunConfig,
    epoch_length,
    epochs_of,
    refuse_run_settings,
    scale_schedule,
)

HELD_OUT = "held_out"
_TRAIN = "train_dataloader"


@dataclass(frozen=True)
class ClassSplit:
    """The classes of a data set, and those that are not trained on, 0-based, in order.

    There are no unseen ones where they are those of other data sets. One that is no
    class or there twice, or alone unseen or seen, is a ValueError.
    """

    num_classes: int
    unseen: tuple[int, ...]

    def __post_init__(self) -> None:
        """Sorts and checks."""
        unseen = tuple(sorted(self.unseen))
        object.__setattr__(self, "unseen", unseen)
        last = self.num_classes - 1
        if len({*range(last + 1)} & {*unseen}) < len(unseen):
            shown = f"the unseen classes {list(unseen)}"
            raise ValueError(f"{shown} must be different ones of 0 to {last}")
        if unseen and not 2 <= len(unseen) < last:
            shown = f"{len(unseen)} unseen classes of {last + 1}"
            raise ValueError(f"{shown}: at least 2 must be unseen and 2 seen")

    @property
    def seen(self) -> tuple[int, ...]:
        """The classes that are trained on; their places are the labels in training."""
        return tuple(c for c in range(self.num_classes) if c not in self.unseen)

    @property
    def is_seen(self) -> np.ndarray:
        """Whether each class is trained on, bool ``[C]``."""
        return ~np.isin(np.arange(self.num_classes), self.unseen)

    @property
    def name(self) -> str:
        """A name for files."""
        return "unseen-" + ("-".join(map(str, self.unseen)) or "none")


def draw_splits(
    num_classes: int, count: int, num_unseen: int, seed: int = 0
) -> list[ClassSplit]:
    """Draws ``count`` different splits; classes are unseen as evenly as can be.

    The classes are shuffled and cut into groups, each the unseen ones of a split; then
    they are shuffled again. More splits of the same seed begin with the same ones. If
    there are not so many, or a split is not possible, that is a ValueError.
    """
    possible = math.comb(num_classes, num_unseen)
    if not 1 <= count <= possible:
        asked = f"{count} splits with {num_unseen} of {num_classes} classes unseen"
        raise ValueError(f"{asked}: there are {possible:,}")
    rng = np.random.default_rng(seed)
    found: dict[ClassSplit, None] = {}
    while len(found) < count:
        order = rng.permutation(num_classes).tolist()
        for start in range(0, num_classes - num_unseen + 1, num_unseen):
            split = ClassSplit(num_classes, tuple(order[start : start + num_unseen]))
            found.setdefault(split)
    return list(found)[:count]


class ZeroShotConfigs:
    """Makes the configs of trainings that lack classes.

    Of ``num_folds`` folds of the training split, see :func:`.make_folds`, one is held
    out. What is None is the config's, which has all classes and a text branch; one that
    cannot be trained without classes is a ValueError.
    """

    def __init__(
        self,
        config: Path,
        ann_file: Path | None = None,
        epochs: int | None = None,
        options: Mapping[str, Any] | None = None,
        num_folds: int = 10,
    ) -> None:
        self.config, self.epochs, self.num_folds = config, epochs, num_folds
        self.options = dict(options or {})
        refuse_run_settings(self.options, "--seed")
        self.settings = read_config(config, self.options)
        self.num_classes = int(self._setting("model.cls_head.num_classes"))
        descriptions = self._setting("model.text_branch.prompts.descriptions")
        self.descriptions = find_shipped_file(descriptions)
        self.features = lookup(self.settings.model, "text_branch.features")
        self.layout = lookup(self.settings.model, "backbone.graph_cfg.layout")
        (self._train_file, self._train_split), (self.ann_file, self.test_split) = (
            self._data(loader, ann_file) for loader in (_TRAIN, "test_dataloader")
        )

    def make(self, split: ClassSplit, folder: Path) -> tuple[RunConfig, Path]:
        """Writes data with nothing of the unseen classes in them, and makes the config.

        The annotation file, which is returned too, has the splits ``train`` and
        :data:`HELD_OUT`; its labels are places in ``split.seen``.
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
        taken = set(changes)
        if self.epochs is not None:
            taken |= {"train_cfg.max_epochs", "param_scheduler"}
        for key in taken & set(self.options):
            reason = f"sets {key}, which is up to tools/zero_shot.py"
            way_out = "(see --unseen, --ann-file and --epochs)"
            raise ValueError(f"--cfg-options: {reason} {way_out}")
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
            clip = f"{where}: {name_of(item)}"
            label = check_label(item.get("label"), split.num_classes, clip)
            found.add(label)
            if label in split.seen:
                chosen.append({**item, "label": split.seen.index(label)})
        for absent in sorted(set(range(split.num_classes)) - found):
            raise ValueError(f"{where}: there is no clip of class {absent}")
        names = [str(name_of(item)) for item in chosen]
        labels = [item["label"] for item in chosen]
        try:
            is_train = make_folds(names, labels, self.num_folds).of != 0
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        # The name tells what the file is of.
        stem = f"{source.stem}_{self._train_split}_{file_digest(source)[:8]}"
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
        fields = [
            {name: t[0] if len(t) == 1 else t for name, t in actions[c].fields.items()}
            for c in split.seen
        ]
        # The texts are part of the run's settings, by the name of their file.
        digest = hashlib.sha256(repr(fields).encode()).hexdigest()[:8]
        path = folder / f"{source.stem}_{digest}_{split.name}.yaml"
        names = ", ".join(f"{label} {actions[label].label}" for label in split.unseen)
        header = f"Written by tools/zero_shot.py: {source.name} without {names}"
        write_descriptions(path, source.stem, fields, header)
        return path

    def _setting(self, key: str) -> Any:
        found = lookup(self.settings._cfg_dict, key)
        if found is None:
            needs = "zero-shot needs splits, and a text branch with descriptions"
            raise ValueError(f"{self.config}: {key} is not set; {needs}")
        return found

    def _data(self, loader: str, ann_file: Path | None) -> tuple[Path, str]:
        """Returns the annotation file of a loader, and its split."""
        data = annotated_data(self.settings, loader)
        split = self._setting(".".join((loader, *data.keys, "split")))
        return (ann_file or Path(data.settings["ann_file"])).absolute(), str(split)


@dataclass(frozen=True)
class OtherSet:
    """A data set of the same joints, of which nothing is trained on."""

    configs: ZeroShotConfigs
    title: str
    classes: tuple[str, ...]  # those of training, then those that it lacks
    places: tuple[int, ...]  # of its own classes among these
    split: ClassSplit  # with the lacking ones unseen

    def join(
        self, held_out: ClipFeatures, test: ClipFeatures
    ) -> tuple[ClipFeatures, ClipFeatures]:
        """Returns clips of training and of this set with the texts of all classes."""
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

    ``same`` has pairs of further classes, of training and of others, that are the same.
    A ValueError says that a set has other joints, that training lacks too few or all of
    its classes, that two have one name, or that there is no such class in ``same``.
    """
    if len({item.config.stem for item in others}) < len(others):
        raise ValueError("the configs of the other sets must have different names")
    own, *theirs = (
        tuple(load_class_names(str(item.descriptions), item.num_classes))
        for item in (trained, *others)
    )
    for first, second in same:
        if first not in own or not any(second in names for names in theirs):
            known = f"a class of {trained.config} ({', '.join(own)})"
            raise ValueError(f"--same {first}={second}: must pair {known} with another")
    words = {second: first for first, second in same}
    found = []
    for configs, names in zip(others, theirs):
        if configs.layout != trained.layout:
            joints = f"{trained.config} has {trained.layout}; they must be the same"
            where = f"{configs.config}: its joints are those of {configs.layout}"
            raise ValueError(f"{where}, {joints}")
        named = [words.get(name, name) for name in names]
        lacking = [name for name in named if name not in own]
        there = ", ".join(name for name in named if name in own)
        title = f"{configs.config.stem}: {', '.join(lacking)} (trained on: {there})"
        if not 2 <= len(lacking) < len(names):
            needed = "at least two classes must be lacking, and one trained on"
            raise ValueError(f"{title}: {needed} (see --same)")
        classes = (*own, *lacking)
        places = tuple(classes.index(name) for name in named)
        split = ClassSplit(len(classes), tuple(range(len(own), len(classes))))
        found.append(OtherSet(configs, title, classes, places, split))
    return found
