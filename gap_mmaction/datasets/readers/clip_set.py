"""What a data set of clips is made of, and the annotations made of its files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Files = Iterable[tuple[str, bytes]]
"""What to call a file, ending in its path in the source, and its content."""
Parse = Callable[[bytes, str], np.ndarray]
"""Reads ``keypoint`` ``[M, T, V, C]`` out of the content of a file, named second."""
PARTS = ("train", "val", "fit", "dev")
"""Each fold has a split of each: train is fit and dev, so that settings are chosen
on dev without a look at val."""


@dataclass
class Clip:
    """One sequence."""

    name: str
    label: int  # 0-based
    groups: tuple[str, ...]  # it is held out by: its subject, view or pair of persons
    keypoint: np.ndarray  # [M, T, V, C]; what is not there is zero
    where: str  # what messages call its file
    subject: str = ""  # empty where the files do not tell

    def annotation(self, present: np.ndarray) -> dict[str, Any]:
        """Returns what ``PoseDataset`` reads, of the frames ``present`` alone."""
        keypoint = np.ascontiguousarray(self.keypoint[:, present], np.float32)
        annotation: dict[str, Any] = {"frame_dir": self.name, "label": self.label}
        annotation |= {"total_frames": keypoint.shape[1], "keypoint": keypoint}
        if self.subject:
            annotation["subject"] = self.subject
        if keypoint.shape[-1] == 2:
            # Joints in a picture come with a confidence; these were drawn by hand.
            annotation["keypoint_score"] = np.ones(keypoint.shape[:3], np.float32)
        return annotation


@dataclass(frozen=True)
class Fold:
    """Groups that test (``val``), and those of the rest that settings are chosen on."""

    val: frozenset[str]
    dev: frozenset[str]

    def parts_of(self, clip: Clip) -> tuple[str, ...]:
        """Names the parts that a clip belongs to."""
        if self.val & set(clip.groups):
            return ("val",)
        return "train", "dev" if self.dev & set(clip.groups) else "fit"


def rotate_folds(tests: Sequence[Sequence[str]]) -> dict[str, Fold]:
    """Makes ``fold1``, ``fold2``, ...; the dev of each is what the next one tests."""
    following = [*tests[1:], tests[0]]
    return {
        f"fold{i}": Fold(frozenset(val), frozenset(dev))
        for i, (val, dev) in enumerate(zip(tests, following), start=1)
    }


@dataclass(frozen=True)
class ClipSet:
    """A data set."""

    classes: tuple[str, ...]  # in the order of the labels
    files: tuple[str, ...]  # names of its files, such as *.json
    folds: Mapping[str, Fold]
    size: int  # clips of the full data set, those that are of zeros left out
    read: Callable[[Files], Iterator[Clip]]  # a broken file is a ValueError

    def make_annotations(self, files: Files) -> tuple[dict[str, Any], list[str]]:
        """Makes the content of an annotation file, sorted by name.

        The second result has a line for each clip with frames of zeros, which are left
        out. A file that is broken, or a clip that is there twice, is a ``ValueError``.
        """
        clips: dict[str, Clip] = {}
        for clip in self.read(files):
            if clip.name in clips:
                raise ValueError(
                    f"{clip.where}: the sequence {clip.name} is there twice, the "
                    f"first is {clips[clip.name].where}; remove one"
                )
            clips[clip.name] = clip
        split: dict[str, list[str]]
        split = {f"{fold}_{part}": [] for fold in self.folds for part in PARTS}
        annotations, notes = [], []
        for name, clip in sorted(clips.items()):
            present = np.asarray(clip.keypoint.any(axis=(0, 2, 3)))
            if not present.all():
                left = "they are" if present.any() else "the clip is"
                notes.append(
                    f"{name}: {np.count_nonzero(~present)} of {len(present)} frames "
                    f"are all zero, {left} left out"
                )
            if not present.any():
                continue
            annotations.append(clip.annotation(present))
            for fold, groups in self.folds.items():
                for part in groups.parts_of(clip):
                    split[f"{fold}_{part}"].append(name)
        return {"split": split, "annotations": annotations}, notes


@dataclass(frozen=True)
class FileNames:
    """How the files of a data set are named that has a file for each clip.

    ``pattern`` is of the end of a path, with the groups ``name``, ``action``,
    ``subject`` and what is in ``known``: the values that a group may have, leading
    zeros left out. The place of an ``action`` is its label.
    """

    pattern: str
    form: str  # what messages call the pattern
    known: Mapping[str, Sequence[str]]
    held_out: str = "subject"  # the group that folds hold out

    def reader(self, parse: Parse) -> Callable[[Files], Iterator[Clip]]:
        """Returns a function that makes a clip of each file."""

        def read(files: Files) -> Iterator[Clip]:
            for where, data in files:
                found = self.match(where)
                yield Clip(
                    name=found["name"].replace("/", "_"),
                    label=self.known["action"].index(found["action"]),
                    groups=(found[self.held_out],),
                    keypoint=parse(data, where),
                    where=where,
                    subject=found["subject"],
                )

        return read

    def match(self, where: str) -> dict[str, str]:
        """Takes the groups out of the name of a file, without leading zeros."""
        found = re.search(rf"(?:^|[/\\ ]){self.pattern}$", where)
        if found is None:
            raise ValueError(
                f"{where}: the name is not of the form {self.form}; remove the file "
                "from the source"
            )
        values = {group: text.lstrip("0") for group, text in found.groupdict().items()}
        for group, known in self.known.items():
            if values[group] not in known:
                raise ValueError(
                    f"{where}: unknown {group} {values[group] or 0}, the data set has "
                    f"{', '.join(known)}; remove the file from the source"
                )
        return values


def by_name(files: Files) -> dict[str, tuple[str, bytes]]:
    """Reads all files of a set that has few, by their names, which must differ."""
    found: dict[str, tuple[str, bytes]] = {}
    for where, data in files:
        name = re.split(r"[/\\ ]", where)[-1]
        if name in found:
            raise ValueError(f"{where}: there is also {found[name][0]}; remove one")
        found[name] = where, data
    return found


def count(last: int) -> tuple[str, ...]:
    """Counts from 1, as texts."""
    return tuple(map(str, range(1, last + 1)))


def read_table(
    data: bytes, where: str, columns: int, delimiter: str | None = None
) -> np.ndarray:
    """Reads a text of finite numbers, float64 ``[rows, columns]`` with rows > 0."""
    stream = io.BytesIO(data)
    try:
        if not data.strip():
            raise ValueError("it is empty")
        table = np.loadtxt(stream, delimiter=delimiter, comments=None, ndmin=2)
        if table.shape[1] != columns:
            raise ValueError(f"{table.shape[1]} numbers in a row")
    except ValueError as error:
        raise ValueError(
            f"{where}: {error}; expected {columns} numbers in every row, restore the "
            "file"
        ) from error
    return check_finite(table, where)


def check_finite(values: np.ndarray, where: str) -> np.ndarray:
    """Returns the values; raises a ``ValueError`` if one is not finite in float32."""
    with np.errstate(over="ignore"):  # what is too large is reported
        bad = ~np.isfinite(values.astype(np.float32))
    if bad.any():
        place = ", ".join(map(str, np.argwhere(bad)[0]))
        raise ValueError(
            f"{where}: not finite at [{place}] of an array {list(values.shape)} "
            "(0-based); restore the file or remove it from the source"
        )
    return values
