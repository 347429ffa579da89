"""NW-UCLA: json files ``aAA_sSS_eEE_vVV.json``, ten actions, three views.

Wang et al., "Cross-view action modeling, learning and recognition", CVPR 2014. Kinect
v1, metres, x to the person's right, y up. Views 1 and 2 train, view 3 tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.files import parse_json

from .clip_set import ClipSet, FileNames, Fold, check_finite, count

ACTION_IDS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
"""Action id in the file name of each class, in the order of the class indices."""

_NAMES = FileNames(
    r"(?P<name>a(?P<action>\d\d)_s(?P<subject>\d\d)_e\d\d_v(?P<view>\d\d))\.json",
    "aAA_sSS_eEE_vVV.json",
    dict(action=tuple(map(str, ACTION_IDS)), subject=count(10), view=count(3)),
    held_out="view",
)
_JOINTS = 20


def _parse(data: bytes, where: str) -> np.ndarray:
    """Reads a json file, whose name ``where`` must agree with its label."""
    label = ACTION_IDS.index(int(_NAMES.match(where)["action"]))
    try:
        content = parse_json(data)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise ValueError(f"{where}: not json ({error}); restore the file") from error
    if not isinstance(content, dict) or not {"label", "skeletons"} <= content.keys():
        raise ValueError(
            f"{where}: expected an object with the keys 'label' and 'skeletons', found "
            f"{brief(content)}; restore the file"
        )
    if type(content["label"]) is not int or content["label"] != label + 1:
        raise ValueError(
            f"{where}: 'label' is {brief(content['label'])}, but the action id in the "
            f"name means {label + 1}; one of them is wrong, restore the file"
        )
    return read_keypoint(content["skeletons"], where)[None]


def read_keypoint(skeletons: Any, where: str) -> np.ndarray:
    """Reads the lists that a json file has under ``skeletons``.

    Returns float32 ``[T, 20, 3]``, metres; another shape is a ``ValueError``.
    """
    expected = f"expected numbers in a list [T, {_JOINTS}, 3] with T > 0"
    if not isinstance(skeletons, list) or not skeletons:
        raise ValueError(f"{where}: 'skeletons' has no frames; {expected}")
    try:
        array = np.array(skeletons)
    except ValueError as error:  # lists of unequal length
        fault = f"{where}: 'skeletons' is ragged ({error}); {expected}"
        raise ValueError(fault) from error
    if array.dtype.kind not in "iuf" or array.shape[1:] != (_JOINTS, 3):
        raise ValueError(
            f"{where}: 'skeletons' has shape {list(array.shape)} and type "
            f"{array.dtype}; {expected}"
        )
    return check_finite(array, where).astype(np.float32)


CLIP_SET = ClipSet(
    classes=tuple(f"a{action:02d}" for action in ACTION_IDS),
    files=("*.json",),
    folds={"xview": Fold(val=frozenset("3"), dev=frozenset("2"))},
    size=1484,
    read=_NAMES.reader(_parse),
)
