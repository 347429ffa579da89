"""The splits of annotation files, and folds of one for a cross-validation."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gap_mmaction.datasets.annotation_check import name_of
from gap_mmaction.utils.restricted_pickle import load_annotations, write_annotations

FOLDS = 5  # of the choice of lambda

# NTU RGB+D; NW-UCLA, UTD-MHAD, MSR-Action3D and UTKinect; and the embedded set.
_PERFORMERS = (
    re.compile(r"S\d{3}C\d{3}P(\d{3})R\d{3}A\d{3}"),
    re.compile(r"(?:a\d+_)?s(\d+)_[et]\d+(?:_\w+)?"),
    re.compile(r"p(\d{3})a\d\dr\d\dv\d\d"),
)


@functools.cache
def class_sizes(path: Path, split: str | None) -> Counter[str]:
    """Counts the samples of each class, by label, of what :func:`read_split` reads."""
    return Counter(str(item.get("label")) for item in read_split(path, split))


def read_split(path: Path, split: str | None) -> list[dict[str, Any]]:
    """Reads the annotations of a split, None for a file that is a list, in its order.

    A ValueError says that nothing is in the split, or a sample twice.
    """
    if not path.is_file():
        way_out = "name it with --ann-file, or make it with tools/data/prepare*.py"
        raise FileNotFoundError(f"annotation file {path} is not there: {way_out}")
    content = load_annotations(path)
    if split is None and isinstance(content, list):
        return list(content)
    splits = content.get("split", {}) if isinstance(content, dict) else {}
    members = set(splits.get(split, ()))
    items = content["annotations"] if members else ()
    chosen = [item for item in items if name_of(item) in members]
    where = f"annotation file {path}"
    if not chosen:
        known = ", ".join(splits) or "no splits"
        raise ValueError(f"{where}: no samples of split '{split}', it has {known}")
    counts = Counter(str(name_of(item)) for item in chosen)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        found = f"{len(twice)} samples are there twice, the first is '{twice[0]}'"
        raise ValueError(f"{where}: {found}")
    return chosen


class Folds(NamedTuple):
    """The fold of each of N samples, ``[N]``, and whether performers stay together."""

    of: np.ndarray
    by_performer: bool


def performers_of(names: Sequence[str]) -> list[str] | None:
    """Returns the performer of each sample, None where the names do not tell."""
    for pattern in _PERFORMERS:
        matches = [pattern.fullmatch(Path(name).name) for name in names]
        if all(matches):
            return [match[1] for match in matches if match]
    return None


def make_folds(
    names: Sequence[str], labels: Sequence[int], num_folds: int, seed: int = 0
) -> Folds:
    """Deals samples into folds, each with its share of every class.

    Where the names tell the performers, and there are enough of them, a performer stays
    in one fold, as on the cross-subject splits. The seed decides the rest. A ValueError
    says that there are too few samples, or that a class is in one fold alone.
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
        for missing in np.setdiff1d(indices, indices[fold_of != fold]):
            needed = "of a second performer" if by_performer else "besides its only one"
            raise ValueError(
                f"class {classes[missing]}: all its samples are in fold {fold}, so no "
                f"model could learn it with that fold left out; it needs some {needed}"
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
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    counts = np.zeros((group_of.max() + 1, labels.max() + 1))
    np.add.at(counts, (group_of, labels), 1)
    # Each class counts the same, however many samples it has.
    shares = counts / counts.sum(axis=0)
    order = rng.permutation(len(counts))
    # The large ones first, while there is room to make up for them.
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    filled = np.zeros((num_folds, counts.shape[1]))
    fold_of_group = np.empty(len(counts), dtype=np.int64)
    for group in order:
        # The least sum of squares over folds and classes after it has joined.
        cost = (2 * filled * shares[group] + shares[group] ** 2).sum(axis=1)
        fold_of_group[group] = fold = int(cost.argmin())
        filled[fold] += shares[group]
    return fold_of_group[group_of]


def write_folds(source: Path, split: str, num_folds: int, out: Path) -> str:
    """Writes an annotation file for a cross-validation of a training split.

    It has the splits ``fold0_train``, ``fold0_val`` and so on, and of the annotations
    those of the training split alone: nothing else can be trained or tested on.
    Returns a line on what was made; raises what the two above do.
    """
    chosen = read_split(source, split)
    names = [str(name_of(item)) for item in chosen]
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
