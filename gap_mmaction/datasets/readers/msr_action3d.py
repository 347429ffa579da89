"""MSR-Action3D: text files ``aAA_sSS_eEE_skeleton3D.txt``, 20 actions, 10 subjects.

Li, Zhang, Liu, "Action Recognition Based on a Bag of 3D Points", CVPR-W 2010, in world
coordinates: metres, x to the person's right, y up. Odd subjects train, even ones test.
One clip is of zeros, 19 others have frames of zeros.
"""

from __future__ import annotations

import numpy as np

from .clip_set import ClipSet, FileNames, Fold, count, read_table

CLASSES = (
    *("high arm wave", "horizontal arm wave", "hammer", "hand catch"),
    *("forward punch", "high throw", "draw x", "draw tick", "draw circle"),
    *("hand clap", "two hand wave", "side boxing", "bend", "forward kick"),
    *("side kick", "jogging", "tennis swing", "tennis serve", "golf swing"),
    "pick up and throw",
)
_NAMES = FileNames(
    r"(?P<name>a(?P<action>\d\d)_s(?P<subject>\d\d)_e\d\d)_skeleton3D\.txt",
    "aAA_sSS_eEE_skeleton3D.txt",
    {"action": count(len(CLASSES)), "subject": count(10)},
)
_JOINTS = 20
# The files go from the shoulders down, left and right in turn, the head is last.
_ORDER = [6, 3, 2, 19, 0, 7, 9, 11, 1, 8, 10, 12, 4, 13, 15, 17, 5, 14, 16, 18]


def read_keypoint(data: bytes, where: str) -> np.ndarray:
    """Reads rows ``x y z confidence`` of each joint of each frame.

    Returns ``[1, T, 20, 3]``, metres, joints in the order of the layout ``nw-ucla``.
    """
    table = read_table(data, where, columns=4)
    if len(table) % _JOINTS:
        raise ValueError(
            f"{where}: {len(table)} rows are {len(table) // _JOINTS} frames of "
            f"{_JOINTS} joints and {len(table) % _JOINTS} rows more; some are missing, "
            "restore the file"
        )
    return table[:, :3].reshape(1, -1, _JOINTS, 3)[:, :, _ORDER]


CLIP_SET = ClipSet(
    classes=CLASSES,
    files=("*_skeleton3D.txt",),
    folds={"xsub": Fold(val=frozenset(count(10)[1::2]), dev=frozenset("79"))},
    size=566,
    read=_NAMES.reader(read_keypoint),
)
