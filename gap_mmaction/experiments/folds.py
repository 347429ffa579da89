"""Cross-validation: folds of a training split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gap_mmaction.utils.restricted_pickle import write_annotations

from .annotation_splits import read_split, sample_name

FOLDS = 5
"""Those of the choice of lambda."""

# NTU RGB+D; NW-UCLA, UTD-MHAD, MSR-Action3D and UTKinect; and the embedded set.
_PERFORMERS = (
    re.compile(r"S\d{3}C\d{3}P(\d{3})R\d{3}A\d{3}"),
    re.compile(r"(?:a\d+_)?s(\d+)_[et]\d+(?:_\w+)?"),
    re.compile(r"p(\d{3})a\d\dr\d\dv\d\d"),
)


class Folds(NamedTuple):
    """The fold of each of N samples, ``[N]``, and whether performers stay together."""

    of: np.ndarray
    by_performer: bool


def performers_of(names: Sequence[str]) -> list[str] | None:
    """Returns the performer of each sample, None where the names do not tell."""
    for pattern in _PERFORMERS:
        matches = [pattern.fullmatch(Path(name).name) for name in names]
        found = [match.group(1) for match in matches if match is not None]
        if len(found) == len(names):
            return found
    return None


def make_folds(
    names: Sequence[str], labels: Sequence[int], num_folds: int, seed: int = 0
) -> Folds:
    """Deals samples into folds, each with its share of every class.

    Where the names tell the performers, and there are enough of them, a performer stays
    in one fold: whoever is tested on was not seen in training, as on the cross-subject
    splits. The seed decides what is left to chance.

    Raises:
        ValueError: If there are too few samples, or a class is in one fold alone, so
            that nothing could learn it with that fold left out.
    """
    if not 2 <= num_folds <= len(names):
        raise ValueError(f"{num_folds} folds of {len(names)} samples are not possible")
    rng = np.random.default_rng(seed)
    classes, indices = np.unique(np.asarray(labels), return_inverse=True)
    performers = performers_of(names)
    by_performer = performers is not None and len(set(performers)) >= num_folds
    if performers is not None and by_performer:
        fold_of = _by_group(performers, indices, num_folds, rng)
    else:
        fold_of = _by_sample(indices, num_folds, rng)
    for fold in range(num_folds):
        missing = set(range(len(classes))) - set(indices[fold_of != fold].tolist())
        if missing:
            raise ValueError(
                f"class {classes[min(missing)]}: all its samples are in fold {fold}, "
                "so no model could learn it with that fold left out; it needs samples "
                f"{'of a second performer' if by_performer else 'besides its only one'}"
            )
    return Folds(fold_of, by_performer)


def _by_sample(
    labels: np.ndarray, num_folds: int, rng: np.random.Generator
) -> np.ndarray:
    fold_of = np.empty(len(labels), dtype=np.int64)
    dealt = 0
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        # Each class goes on where the last one ended, for folds of one size.
        fold_of[members] = (dealt + np.arange(len(members))) % num_folds
        dealt += len(members)
    return fold_of


def _by_group(
    groups: Sequence[str], labels: np.ndarray, num_folds: int, rng: np.random.Generator
) -> np.ndarray:
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    counts = np.zeros((len(names), labels.max() + 1))
    np.add.at(counts, (group_of, labels), 1)
    # Each class counts the same, however many samples it has.
    shares = counts / counts.sum(axis=0)
    order = rng.permutation(len(names))
    # The large ones first, while there is room to make up for them.
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    filled = np.zeros((num_folds, counts.shape[1]))
    fold_of_group = np.empty(len(names), dtype=np.int64)
    for group in order:
        # The least sum of squares over folds and classes after it has joined.
        cost = (2 * filled * shares[group] + shares[group] ** 2).sum(axis=1)
        fold = int(cost.argmin())
        fold_of_group[group] = fold
        filled[fold] += shares[group]
    return fold_of_group[group_of]


def write_folds(source: Path, split: str, num_folds: int, out: Path) -> str:
    """Writes an annotation file for a cross-validation of a training split.

    It has the splits ``fold0_train``, ``fold0_val`` and so on, and of the annotations
    those of the training split alone: nothing else can be trained or tested on.

    Returns:
        A line on what was made.

    Raises:
        FileNotFoundError: As :func:`read_split`, like the others.
        pickle.UnpicklingError: If it is no annotation file.
        ValueError: If it has no such split, or folds cannot be made.
    """
    chosen = read_split(source, split)
    names = [str(sample_name(item)) for item in chosen]
    try:
        folds = make_folds(names, [int(item["label"]) for item in chosen], num_folds)
    except ValueError as error:
        where = f"annotation file {source}, split '{split}'"
        raise ValueError(f"{where}: {error}") from None
    made = {}
    for fold in range(num_folds):
        for part, inside in (("train", folds.of != fold), ("val", folds.of == fold)):
            made[f"fold{fold}_{part}"] = [names[i] for i in np.flatnonzero(inside)]
    write_annotations({"split": made, "annotations": chosen}, out)
    how = "performers stay together" if folds.by_performer else "dealt by sample"
    sizes = ", ".join(str(int(size)) for size in np.bincount(folds.of))
    return f"{num_folds} folds of {len(names)} samples ({sizes}; {how}): {out}"
