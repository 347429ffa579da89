"""SBU Kinect Interaction: ``sAAsBB/CC/NNN/skeleton_pos.txt``, two persons, 8 classes.

Yun et al., "Two-person Interaction Detection Using Body-Pose Features and Multiple
Instance Learning", CVPR-W 2012. 15 joints of OpenNI in shares of the picture and of the
depth, which become metres here; 21 pairs of 7 persons, in five folds.
"""

from __future__ import annotations

import numpy as np

from .clip_set import ClipSet, FileNames, count, read_table, rotate_folds

CLASSES = (
    *("approaching", "departing", "kicking", "pushing", "shaking hands"),
    *("hugging", "exchanging object", "punching"),
)
_TESTS = [
    ("s01s02", "s03s04", "s05s02", "s06s04"),
    ("s02s03", "s02s07", "s03s05", "s05s03"),
    ("s01s03", "s01s07", "s07s01", "s07s03"),
    ("s02s01", "s02s06", "s03s02", "s03s06"),
    ("s04s02", "s04s03", "s04s06", "s06s02", "s06s03"),
]
_PAIRS = tuple(sorted(pair for pairs in _TESTS for pair in pairs))
_NAMES = FileNames(
    r"(?P<name>(?P<subject>s\d\ds\d\d)/(?P<action>\d\d)/\d{3})/skeleton_pos\.txt",
    "sAAsBB/CC/NNN/skeleton_pos.txt",
    {"action": count(len(CLASSES)), "subject": _PAIRS},
)
_SCALE = np.array([-2.56, -1.92, 1.28])
_ORIGIN = np.array([1.28, 0.96, 0.0])


def read_keypoint(data: bytes, where: str) -> np.ndarray:
    """Reads a row for each frame: ``[2, T, 15, 3]``, metres, y up."""
    table = read_table(data, where, columns=1 + 2 * 15 * 3, delimiter=",")
    gaps = np.flatnonzero(np.diff(table[:, 0]) != 1)
    if gaps.size:
        before, after = table[gaps[0] : gaps[0] + 2, 0]
        raise ValueError(
            f"{where}: frame {after:g} comes after frame {before:g}; rows are missing "
            "or out of order, restore the file"
        )
    shares = table[:, 1:].reshape(-1, 2, 15, 3).swapaxes(0, 1)
    # A joint at zero was not seen and stays there.
    return np.where(shares.any(-1, keepdims=True), _ORIGIN + _SCALE * shares, 0.0)


CLIP_SET = ClipSet(
    classes=CLASSES,
    files=("skeleton_pos.txt",),
    folds=rotate_folds(_TESTS),
    size=282,
    read=_NAMES.reader(read_keypoint),
)
