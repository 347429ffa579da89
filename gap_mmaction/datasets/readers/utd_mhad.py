"""UTD-MHAD: MATLAB files ``aX_sY_tZ_skeleton.mat``, 27 actions, 8 subjects.

Chen et al., "UTD-MHAD: A Multimodal Dataset for Human Action Recognition Utilizing a
Depth Camera and a Wearable Inertial Sensor", ICIP 2015. Kinect v1, metres, x to the
person's right, y up. Odd subjects train, even ones test.
"""

from __future__ import annotations

import io

import numpy as np
from scipy.io import loadmat

from .clip_set import ClipSet, FileNames, Fold, check_finite, count

CLASSES = (
    *("swipe left", "swipe right", "wave", "clap", "throw", "arm cross"),
    *("basketball shoot", "draw x", "draw circle (clockwise)"),
    *("draw circle (counter clockwise)", "draw triangle", "bowling", "boxing"),
    *("baseball swing", "tennis swing", "arm curl", "tennis serve", "push", "knock"),
    *("catch", "pickup and throw", "jog", "walk", "sit to stand", "stand to sit"),
    *("lunge", "squat"),
)
_NAMES = FileNames(
    r"(?P<name>a(?P<action>\d+)_s(?P<subject>\d+)_t\d+)_skeleton\.mat",
    "aX_sY_tZ_skeleton.mat",
    {"action": count(len(CLASSES)), "subject": count(8)},
)
# Head, neck, spine and hip come first and in this order; nw-ucla has the hip first.
_ORDER = [3, 2, 1, 0, *range(4, 20)]


def read_keypoint(data: bytes, where: str) -> np.ndarray:
    """Reads ``d_skel`` ``[20, 3, T]`` of a ``.mat`` file.

    Returns ``[1, T, 20, 3]``, metres, joints in the order of the layout ``nw-ucla``.
    """
    try:
        found = loadmat(io.BytesIO(data), variable_names=["d_skel"]).get("d_skel")
    except Exception as error:  # scipy has many for files that are cut off
        raise ValueError(
            f"{where}: not a readable MATLAB file ({type(error).__name__}: {error}); "
            "restore the file"
        ) from error
    array, shape = np.asarray(found), list(np.shape(found))
    if array.dtype.kind not in "iuf" or shape[:2] != [20, 3] or not array.size:
        raise ValueError(
            f"{where}: the variable 'd_skel' "
            + ("is missing" if found is None else f"has shape {shape}")
            + "; expected numbers [20, 3, T], restore the file"
        )
    keypoint = array.reshape(20, 3, -1).transpose(2, 0, 1)[None, :, _ORDER]
    return check_finite(keypoint, where)


CLIP_SET = ClipSet(
    classes=CLASSES,
    files=("*_skeleton.mat",),
    folds={"xsub": Fold(val=frozenset("2468"), dev=frozenset("7"))},
    size=861,
    read=_NAMES.reader(read_keypoint),
)
