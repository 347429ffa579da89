"""Which classes are trained on, and data with nothing of the others in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gap_mmaction.apis.feature_extraction import check_label
from gap_mmaction.models.text.description_writer import write_descriptions
from gap_mmaction.models.text.descriptions import load_descriptions
from gap_mmaction.utils.atomic_pickle import write_annotations

from ..annotation_splits import read_split, sample_name
from ..folds import make_folds

TRAIN = "train"
HELD_OUT = "held_out"
_FEWEST = 2


@dataclass(frozen=True)
class ClassSplit:
    """The classes of a data set, seen and unseen.

    Attributes:
        num_classes: Number of all classes.
        unseen: The classes that are not trained on, 0-based, in order. None where the
            unseen ones are those of other data sets.

    Raises:
        ValueError: If one is no class or there twice, or one alone is unseen or
            fewer than two seen, where naming them would be no choice.
    """

    num_classes: int
    unseen: tuple[int, ...]

    def __post_init__(self) -> None:
        """Sorts and checks."""
        unseen = tuple(sorted(self.unseen))
        object.__setattr__(self, "unseen", unseen)
        if len({*range(self.num_classes)} & {*unseen}) < len(unseen):
            raise ValueError(
                f"the unseen classes {list(unseen)} must be different ones of 0 to "
                f"{self.num_classes - 1}"
            )
        if unseen and not _FEWEST <= len(unseen) <= self.num_classes - _FEWEST:
            raise ValueError(
                f"{len(unseen)} unseen classes of {self.num_classes}: at least "
                f"{_FEWEST} must be unseen and {_FEWEST} seen, to be told apart"
            )

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
    """Draws splits, such that classes are unseen as evenly as can be.

    The classes are shuffled and cut into groups, each the unseen ones of a split, until
    there are too few left for a group; then they are shuffled again. More splits of the
    same seed begin with the same ones.

    Args:
        num_classes: Number of all classes.
        count: How many different splits.
        num_unseen: Unseen classes of each.
        seed: Of the shuffle.

    Raises:
        ValueError: If there are not so many, or a split is not possible.
    """
    possible = math.comb(num_classes, num_unseen)
    if not 1 <= count <= possible:
        raise ValueError(
            f"{count} splits with {num_unseen} of {num_classes} classes unseen: there "
            f"are {possible:,}"
        )
    rng = np.random.default_rng(seed)
    found: dict[ClassSplit, None] = {}
    while len(found) < count:
        order = rng.permutation(num_classes).tolist()
        for start in range(0, num_classes - num_unseen + 1, num_unseen):
            split = ClassSplit(num_classes, tuple(order[start : start + num_unseen]))
            found.setdefault(split)
    return list(found)[:count]


class SeenData(NamedTuple):
    """Files with nothing of the unseen classes in them.

    Attributes:
        annotations: Annotation file with the splits :data:`TRAIN` and
            :data:`HELD_OUT`; labels are places in ``ClassSplit.seen``.
        descriptions: Description file.
        num_train: Clips of :data:`TRAIN`.
    """

    annotations: Path
    descriptions: Path
    num_train: int


def write_seen_data(
    source: Path,
    train_split: str,
    descriptions: Path,
    split: ClassSplit,
    folder: Path,
    num_folds: int,
) -> SeenData:
    """Writes the files of a training.

    One of ``num_folds`` folds of the training split is held out: whole performers where
    the clips' names tell them, see :func:`.folds.make_folds`.

    Args:
        source: The annotation file.
        train_split: Name of its training split.
        descriptions: The description file of all classes.
        split: What is trained on.
        folder: The folder for the files. Their names tell what they are of.
        num_folds: Number of folds.

    Raises:
        FileNotFoundError: If a file is not there.
        pickle.UnpicklingError: If the source is no annotation file.
        ValueError: If a label does not fit, or the folds cannot be made.
    """
    where = f"annotation file {source}, split '{train_split}'"
    place = {label: index for index, label in enumerate(split.seen)}
    chosen, found = [], set()
    for item in read_split(source, train_split):
        clip = f"{where}: {sample_name(item)}"
        label = check_label(item.get("label"), split.num_classes, clip)
        found.add(label)
        if label in place:
            chosen.append({**item, "label": place[label]})
    if len(found) < split.num_classes:
        absent = min(set(range(split.num_classes)) - found)
        raise ValueError(f"{where}: there is no clip of class {absent}")
    names = [str(sample_name(item)) for item in chosen]
    try:
        folds = make_folds(names, [item["label"] for item in chosen], num_folds)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    held_out = [name for name, fold in zip(names, folds.of) if fold == 0]
    size = source.stat().st_size
    stem = f"{source.stem}_{train_split}_{size}-bytes_{num_folds}-folds_{split.name}"
    annotations = folder / f"{stem}.pkl"
    if not annotations.is_file():
        train = [name for name, fold in zip(names, folds.of) if fold != 0]
        splits = {TRAIN: train, HELD_OUT: held_out}
        write_annotations({"split": splits, "annotations": chosen}, annotations)
    texts = _write_seen_descriptions(descriptions, split, folder)
    return SeenData(annotations, texts, len(names) - len(held_out))


def _write_seen_descriptions(source: Path, split: ClassSplit, folder: Path) -> Path:
    actions = load_descriptions(source)
    if len(actions) != split.num_classes:
        raise ValueError(
            f"{source} describes {len(actions)} classes, the model has "
            f"num_classes={split.num_classes} (model.cls_head)"
        )
    path = folder / f"{source.stem}_{split.name}.yaml"
    fields = [
        {name: t[0] if len(t) == 1 else t for name, t in actions[c].fields.items()}
        for c in split.seen
    ]
    names = ", ".join(f"{label} {actions[label].label}" for label in split.unseen)
    header = f"Written by tools/zero_shot.py: {source.name} without the classes {names}"
    write_descriptions(path, source.stem, fields, header)
    return path
