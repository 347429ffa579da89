"""What a data set is made of, and the annotations made of its files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_IN_A_PICTURE = 2

Files = Iterable[tuple[str, bytes]]
"""What to call a file, ending in its path in the source, and its content."""

PARTS = ("train", "val", "fit", "dev")
"""Each fold has a split of each: train is fit and dev, so that settings are chosen
on dev without a look at val."""


@dataclass
class Clip:
    """One sequence.

    Attributes:
        name: Its name among all clips of the set.
        label: The 0-based class index.
        groups: What it is held out by: its subject, view or pair of persons.
        keypoint: ``[M, T, V, C]``; what is not there is zero.
        where: What messages call its file.
        subject: Who is seen, empty where the files do not tell.
    """

    name: str
    label: int
    groups: tuple[str, ...]
    keypoint: np.ndarray
    where: str
    subject: str = ""


@dataclass(frozen=True)
class Fold:
    """Which groups are held out.

    Attributes:
        val: Those that test.
        dev: Those of the training groups that settings are chosen on.
    """

    val: frozenset[str]
    dev: frozenset[str]

    def parts_of(self, clip: Clip) -> tuple[str, str] | tuple[str]:
        """Name the parts that a clip belongs to."""
        if not self.val.isdisjoint(clip.groups):
            return ("val",)
        return "train", "fit" if self.dev.isdisjoint(clip.groups) else "dev"


def rotate_folds(tests: Sequence[Sequence[str]]) -> dict[str, Fold]:
    """Make folds of lists of groups: each tests once, the next one is its dev.

    Args:
        tests: The groups that test, for each fold.

    Returns:
        The folds ``fold1``, ``fold2`` and so on.
    """
    following = [*tests[1:], tests[0]]
    return {
        f"fold{i}": Fold(frozenset(val), frozenset(dev))
        for i, (val, dev) in enumerate(zip(tests, following), start=1)
    }


@dataclass(frozen=True)
class ClipSet:
    """A data set.

    Attributes:
        classes: The names of the classes, in the order of the labels.
        files: Names of its files, such as ``*.json``.
        folds: Its folds by name.
        size: Clips of the full data set, those that are of zeros left out.
        read: Makes clips of the files; a broken one is a ``ValueError``.
    """

    classes: tuple[str, ...]
    files: tuple[str, ...]
    folds: Mapping[str, Fold]
    size: int
    read: Callable[[Files], Iterator[Clip]]

    def make_annotations(self, files: Files) -> tuple[dict[str, Any], list[str]]:
        """Put the clips and the splits into one dict.

        Args:
            files: The files.

        Returns:
            ``{"split": {name: [frame_dir, ...]}, "annotations": [...]}``, sorted by
            name, what ``PoseDataset`` reads; and a line for each clip that has frames
            of zeros, which are left out.

        Raises:
            ValueError: If a file is broken or a clip is there twice.
        """
        clips: dict[str, Clip] = {}
        for clip in self.read(files):
            if clip.name in clips:
                raise ValueError(
                    f"{clip.where}: the sequence {clip.name} is there twice, the "
                    f"first is {clips[clip.name].where}; remove one"
                )
            clips[clip.name] = clip
        split: dict[str, list[str]] = {
            f"{fold}_{part}": [] for fold in self.folds for part in PARTS
        }
        annotations, notes = [], []
        for name in sorted(clips):
            clip = clips[name]
            present = np.asarray(clip.keypoint.any(axis=(0, 2, 3)))
            if not present.all():
                left = "the clip is" if not present.any() else "they are"
                notes.append(
                    f"{name}: {np.count_nonzero(~present)} of {len(present)} frames "
                    f"are all zero, {left} left out"
                )
            if not present.any():
                continue
            annotations.append(_annotation(clip, clip.keypoint[:, present]))
            for fold, groups in self.folds.items():
                for part in groups.parts_of(clip):
                    split[f"{fold}_{part}"].append(name)
        return {"split": split, "annotations": annotations}, notes


def _annotation(clip: Clip, keypoint: np.ndarray) -> dict[str, Any]:
    annotation: dict[str, Any] = {
        "frame_dir": clip.name,
        "label": clip.label,
        "total_frames": keypoint.shape[1],
        "keypoint": np.ascontiguousarray(keypoint, np.float32),
    }
    if clip.subject:
        annotation["subject"] = clip.subject
    if keypoint.shape[-1] == _IN_A_PICTURE:
        # Joints in a picture come with a confidence; these were drawn by hand.
        annotation["keypoint_score"] = np.ones(keypoint.shape[:3], np.float32)
    return annotation


@dataclass(frozen=True)
class FileNames:
    """How the files of a data set are named that has a file for each clip.

    Attributes:
        pattern: Of the end of a path, with the groups ``name``, ``action``,
            ``subject`` and what is in ``known``.
        form: What messages call the pattern.
        known: The values that a group may have, leading zeros left out. The place of
            an ``action`` is its label.
        held_out: The group that folds hold out.
    """

    pattern: str
    form: str
    known: Mapping[str, Sequence[str]]
    held_out: str = "subject"

    def read(
        self, files: Files, parse: Callable[[bytes, str], np.ndarray]
    ) -> Iterator[Clip]:
        """Make a clip of each file.

        Args:
            files: The files.
            parse: Makes ``keypoint`` ``[M, T, V, C]`` of a content and of what
                messages call the file.

        Yields:
            The clips.

        Raises:
            ValueError: If a file has another name or is broken.
        """
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

    def match(self, where: str) -> dict[str, str]:
        """Take the groups out of the name of a file.

        Args:
            where: The path.

        Returns:
            The groups, without leading zeros.

        Raises:
            ValueError: If the name has another form, or a value that is not known.
        """
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
    """Read all files of a set that has few.

    Args:
        files: The files.

    Returns:
        What to call each file, and its content, by the file's name.

    Raises:
        ValueError: If a name is there twice.
    """
    found: dict[str, tuple[str, bytes]] = {}
    for where, data in files:
        name = re.split(r"[/\\ ]", where)[-1]
        if name in found:
            raise ValueError(f"{where}: there is also {found[name][0]}; remove one")
        found[name] = where, data
    return found


def count(last: int) -> tuple[str, ...]:
    """Count from 1, as texts."""
    return tuple(str(number) for number in range(1, last + 1))


def read_table(
    data: bytes, where: str, columns: int, comma: bool = False
) -> np.ndarray:
    """Read a text file of numbers.

    Args:
        data: The content.
        where: What messages call the file.
        columns: Numbers in each row.
        comma: Whether commas stand between them and not spaces.

    Returns:
        float64 ``[rows, columns]``, rows > 0.

    Raises:
        ValueError: If it is no such table or not finite.
    """
    try:
        if not data.strip():
            raise ValueError("it is empty")
        table = np.loadtxt(
            io.BytesIO(data), delimiter="," if comma else None, comments=None, ndmin=2
        )
        if table.shape[1] != columns:
            raise ValueError(f"{table.shape[1]} numbers in a row")
    except ValueError as error:
        raise ValueError(
            f"{where}: {error}; expected {columns} numbers in every row, restore the "
            "file"
        ) from error
    return check_finite(table, where)


def check_finite(values: np.ndarray, where: str) -> np.ndarray:
    """Refuse numbers that are not finite as float32.

    Raises:
        ValueError: If there are any; the message says where.
    """
    with np.errstate(over="ignore"):  # what is too large is reported
        bad = ~np.isfinite(values.astype(np.float32))
    if bad.any():
        place = ", ".join(map(str, np.argwhere(bad)[0]))
        raise ValueError(
            f"{where}: not finite at [{place}] of an array {list(values.shape)} "
            "(0-based); restore the file or remove it from the source"
        )
    return values
