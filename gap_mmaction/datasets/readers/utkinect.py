"""UTKinect-Action3D: ten actions of ten subjects, one after the other in 20 files.

Xia, Chen, Aggarwal, "View Invariant Human Action Recognition Using Histograms of 3D
Joints", CVPR-W 2012. Kinect v1, metres, x to the person's right, y up, the joints in
the order of the layout ``nw-ucla``. Each fold tests two subjects.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

import numpy as np

from gap_mmaction.datasets.readers.clip_set import (
    Clip,
    ClipSet,
    Files,
    by_name,
    count,
    read_table,
    rotate_folds,
)

CLASSES = (
    *("walk", "sit down", "stand up", "pick up", "carry", "throw", "push", "pull"),
    *("wave hands", "clap hands"),
)
_IN_FILE = (
    *("walk", "sitDown", "standUp", "pickUp", "carry", "throw", "push", "pull"),
    *("waveHands", "clapHands"),
)
# What repairs seven lines of the other one.
_LABELS = ("actionLabel_modified.txt", "actionLabel.txt")
_COLUMNS = 61
Segments = dict[str, list[tuple[float, float] | None]]


def _read(files: Files) -> Iterator[Clip]:
    found = by_name(files)
    labels = next((name for name in _LABELS if name in found), None)
    if labels is None:
        raise ValueError(
            f"there is no {' or '.join(_LABELS)} beside {', '.join(sorted(found))}; "
            "it says when each action begins and ends"
        )
    where, data = found[labels]
    if labels != _LABELS[0]:
        warnings.warn(
            f"{where}: seven of its lines have wrong numbers; put {_LABELS[0]} beside "
            "it, which has them right",
            stacklevel=2,
        )
    for trial, segments in _parse_labels(data, where).items():
        if f"joints_{trial}.txt" not in found:
            raise ValueError(
                f"{where}: names {trial}, but joints_{trial}.txt is absent"
            )
        yield from _cut(trial, segments, *found.pop(f"joints_{trial}.txt"))
    for name in sorted(found.keys() - set(_LABELS)):
        raise ValueError(f"{found[name][0]}: {where} does not name it; remove one")


def _parse_labels(data: bytes, where: str) -> Segments:
    """Read blocks of a line ``s01_e01`` and ten lines ``walk: 252 390``."""
    trials: Segments = {}
    for number, line in enumerate(data.decode("latin-1").splitlines(), start=1):
        spot = f"{where}, line {number}: {line.strip()[:60]!r}"
        if match := re.fullmatch(r"(s(\d\d)_e\d\d)\s*", line):
            if int(match[2]) not in range(1, 11):
                raise ValueError(f"{spot}: the data set has subjects 1 to 10")
            segments = trials[match[1]] = []
        elif match := re.fullmatch(r"(\w+): *(\d+|NaN) +(\d+|NaN)\s*", line):
            if not trials or match[1] != _IN_FILE[len(segments) % len(CLASSES)]:
                raise ValueError(
                    f"{spot}: a line is missing or the action is unknown; each "
                    f"recording has {', '.join(_IN_FILE)}, in this order"
                )
            segments.append(
                None if "NaN" in match.groups() else (float(match[2]), float(match[3]))
            )
        elif line.strip():
            raise ValueError(f"{spot}: expected such as 's01_e01' or 'walk: 252 390'")
    for trial, segments in trials.items():
        if len(segments) != len(CLASSES):
            raise ValueError(
                f"{where}: {trial} has {len(segments)} actions, expected "
                f"{len(CLASSES)}; lines are missing, restore the file"
            )
    return trials


def _cut(
    trial: str, segments: list[tuple[float, float] | None], where: str, data: bytes
) -> Iterator[Clip]:
    """Cut a recording, whose rows are a frame's number and its joints."""
    table = read_table(data, where, _COLUMNS)
    # Frames are there twice now and then.
    frames, first = np.unique(table[:, 0], return_index=True)
    subject = trial[1:3].lstrip("0")
    for label, segment in enumerate(segments):
        if segment is None:  # "carry" of s10_e02
            continue
        start, stop = (np.abs(frames - number).argmin() for number in segment)
        if start >= stop:
            raise ValueError(
                f"{where}: no frames from {segment[0]:g} to {segment[1]:g}, where the "
                f"labels have {_IN_FILE[label]!r}; restore the file"
            )
        rows = table[first[start : stop + 1], 1:]
        yield Clip(
            name=f"{trial}_{_IN_FILE[label]}",
            label=label,
            groups=(subject,),
            keypoint=rows.reshape(1, len(rows), -1, 3),
            where=where,
            subject=subject,
        )


CLIP_SET = ClipSet(
    classes=CLASSES,
    files=("joints_s*_e*.txt", *_LABELS),
    folds=rotate_folds(list(zip(count(10)[::2], count(10)[1::2]))),
    size=199,
    read=_read,
)
