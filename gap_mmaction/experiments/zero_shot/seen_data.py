"""What a training may know: clips and descriptions of the seen classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gap_mmaction.apis.feature_extraction import check_label
from gap_mmaction.models.text.descriptions import (
    ActionDescription,
    load_descriptions,
    write_descriptions,
)
from gap_mmaction.utils.atomic_pickle import write_annotations

from ..annotations import name_of
from ..folds import make_folds
from ..split_reader import read_split
from .class_split import ClassSplit

TRAIN = "train"
HELD_OUT = "held_out"


@dataclass(frozen=True)
class SeenData:
    """Files with nothing of the unseen classes in them.

    Their labels are the places of the classes in ``ClassSplit.seen``.

    Attributes:
        annotations: Annotation file with the splits :data:`TRAIN` and
            :data:`HELD_OUT`, both of the training split.
        descriptions: Description file.
        num_train: Clips of :data:`TRAIN`.
        num_held_out: Clips of :data:`HELD_OUT`.
    """

    annotations: Path
    descriptions: Path
    num_train: int
    num_held_out: int


def write_seen_data(
    source: Path,
    train_split: str,
    descriptions: Path,
    split: ClassSplit,
    folder: Path,
    num_folds: int,
) -> SeenData:
    """Write the files of a training.

    One of ``num_folds`` folds of the training split is held out, for the factor of
    calibrated stacking: whole performers where the clips' names tell them, see
    :func:`.folds.make_folds`.

    The files' names tell what they are of, so that one that is there is not written
    again: another source makes others.

    Args:
        source: The annotation file.
        train_split: Name of its training split.
        descriptions: The description file of all classes.
        split: What is trained on.
        folder: The folder for the files.
        num_folds: Number of folds.

    Returns:
        The files.

    Raises:
        FileNotFoundError: If a file is not there.
        pickle.UnpicklingError: If the source is no annotation file.
        ValueError: If a label does not fit, or the folds cannot be made.
    """
    items = read_split(source, train_split)
    where = f"annotation file {source}, split '{train_split}'"
    labels = np.array(
        [
            check_label(
                item.get("label"), split.num_classes, f"{where}: {name_of(item)}"
            )
            for item in items
        ]
    )
    absent = set(range(split.num_classes)) - set(labels.tolist())
    if absent:
        raise ValueError(f"{where}: there is no clip of class {min(absent)}")
    place = {label: index for index, label in enumerate(split.seen)}
    chosen = [
        {**item, "label": place[int(label)]}
        for item, label in zip(items, labels)
        if int(label) in place
    ]
    names = [str(name_of(item)) for item in chosen]
    try:
        folds = make_folds(names, [item["label"] for item in chosen], num_folds)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    held_out = folds.of == 0
    size = source.stat().st_size
    stem = f"{source.stem}_{train_split}_{size}-bytes_{num_folds}-folds_{split.name}"
    path = folder / f"{stem}.pkl"
    if not path.is_file():
        splits = {
            TRAIN: [name for name, out in zip(names, held_out) if not out],
            HELD_OUT: [name for name, out in zip(names, held_out) if out],
        }
        write_annotations({"split": splits, "annotations": chosen}, path)
    return SeenData(
        annotations=path,
        descriptions=_write_seen_descriptions(descriptions, split, folder),
        num_train=int((~held_out).sum()),
        num_held_out=int(held_out.sum()),
    )


def _write_seen_descriptions(source: Path, split: ClassSplit, folder: Path) -> Path:
    actions = load_descriptions(source)
    if len(actions) != split.num_classes:
        raise ValueError(
            f"{source} describes {len(actions)} classes, the model has "
            f"num_classes={split.num_classes} (model.cls_head)"
        )
    chosen = [actions[label] for label in split.seen]
    digest = hashlib.sha256(repr([_fields(item) for item in chosen]).encode())
    path = folder / f"{source.stem}_{digest.hexdigest()[:8]}_{split.name}.yaml"
    if not path.is_file():
        names = ", ".join(f"{label} {actions[label].label}" for label in split.unseen)
        write_descriptions(
            path,
            source.stem,
            [_fields(item) for item in chosen],
            f"Written by tools/zero_shot.py: {source.name} without the classes {names}",
        )
    return path


def _fields(action: ActionDescription) -> dict[str, str | Sequence[str]]:
    return {
        name: texts[0] if len(texts) == 1 else texts
        for name, texts in action.fields.items()
    }
