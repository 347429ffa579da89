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

from .clip_set import Clip, ClipSet, Files, by_name, count, read_table, rotate_folds

CLASSES = (
    *("walk", "sit down", "stand up", "pick up", "carry", "throw", "push", "pull"),
    *("wave hands", "clap hands"),
)
_IN_FILE = (
    *("walk", "sitDown", "standUp", "pickUp", "carry", "throw", "push", "pull"),
    *("waveHands", "clapHands"),
)
# The first one repairs seven lines of the other one.
_LABELS = ("actionLabel_modified.txt", "actionLabel.txt")


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
    for trial, spans in _parse_labels(data, where):
        if f"joints_{trial}.txt" not in found:
            raise ValueError(
                f"{where}: {trial} is there twice, or joints_{trial}.txt is absent"
            )
        recording, data = found.pop(f"joints_{trial}.txt")
        yield from _cut(trial, spans, data, f"{recording} ({where})")
    for name in sorted(found.keys() - set(_LABELS)):
        raise ValueError(f"{found[name][0]}: {where} does not name it; remove one")


def _parse_labels(data: bytes, where: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Reads blocks of a line ``s01_e01`` and ten lines ``walk: 252 390``."""
    blocks = re.split(r"(s\d\d_e\d\d)\s", data.decode("latin-1"))
    for trial, lines in zip(blocks[1::2], blocks[2::2]):
        if trial[1:3].lstrip("0") not in count(10):
            raise ValueError(f"{where}: {trial}, but the data set has subjects 1 to 10")
        found = re.findall(r"^(\w+): *(\d+|NaN) +(\d+|NaN)\s*$", lines, re.M)
        if tuple(name for name, *_ in found) != _IN_FILE:
            raise ValueError(
                f"{where}: {trial} needs a line such as 'walk: 252 390' for each of "
                f"{', '.join(_IN_FILE)}, in this order; restore the file"
            )
        yield trial, [span for _, *span in found]


def _cut(trial: str, spans: list[list[str]], data: bytes, where: str) -> Iterator[Clip]:
    """Cuts a recording, whose rows are a frame's number and its joints."""
    table = read_table(data, where, columns=61)
    # Frames are there twice now and then.
    frames, first = np.unique(table[:, 0], return_index=True)
    subject = trial[1:3].lstrip("0")
    for label, span in enumerate(spans):
        if "NaN" in span:  # "carry" of s10_e02
            continue
        start, stop = (int(np.abs(frames - float(end)).argmin()) for end in span)
        if start >= stop:
            raise ValueError(
                f"{where}: no frames from {span[0]} to {span[1]}, where the labels "
                f"have {_IN_FILE[label]!r}; restore the files"
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
