"""Joints of one layout from those of another, by their names.

Places in space are in these axes; a conversion does not turn them:

=============================  ==================  ====  ============  ======
layout                         x                   y     z             unit
=============================  ==================  ====  ============  ======
nw-ucla, nturgb+d, openni-15   the camera's left   up    away from it  metre
mediapipe as ``read_poses``    the camera's left   up    away from it  metre
MediaPipe's world landmarks    the camera's right  down  away from it  metre
a picture (2D)                 right               down                pixel
=============================  ==================  ====  ============  ======

The first three are right-handed: MediaPipe's (x, y, z) are (-x, -y, z) in the Kinects'
axes. Its origin is between the hips, the Kinects' is the sensor.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .layouts import Layout, get_skeleton

# Where a layout means another place by a name than the others do.
_MEANINGS = {
    ("nturgb+d", "spine"): "top of spine",
    ("nturgb+d", "neck"): "middle of neck",
    ("nw-ucla", "hip centre"): "middle of waist",
    ("jhmdb-15", "neck"): "bottom of face",
}

# The ways to a joint that a layout lacks, the best one first. Least-squares fits to
# frames of NW-UCLA (waist, spine, shoulder centre, hand), SBU Kinect (torso and
# neck, exact) and JHMDB (belly, bottom of face); the others follow from the names.
_WAYS: dict[str, tuple[dict[str, float], ...]] = {
    "middle of shoulders": ({"left shoulder": 0.5, "right shoulder": 0.5},),
    "hip centre": ({"left hip": 0.5, "right hip": 0.5},),
    "middle of waist": ({"hip centre": 0.82, "middle of shoulders": 0.18},),
    "shoulder centre": ({"middle of shoulders": 0.64, "head": 0.36},),
    "spine": ({"middle of waist": 0.83, "shoulder centre": 0.17},),
    "base of spine": ({"hip centre": 1.0},),
    "middle of spine": ({"base of spine": 0.5, "top of spine": 0.5},),
    "top of spine": ({"middle of shoulders": 1.0},),
    "middle of neck": ({"top of spine": 2 / 3, "head": 1 / 3},),
    "neck": ({"middle of shoulders": 1.0},),
    "head": ({"left ear": 0.5, "right ear": 0.5}, {"nose": 1.0}),
    "face": ({"nose": 1.0},),
    "bottom of face": ({"middle of shoulders": 0.61, "face": 0.39},),
    "belly": ({"hip centre": 0.79, "bottom of face": 0.21},),
    "torso": ({"hip centre": 0.5, "neck": 0.5},),
}
for _side in ("left", "right"):
    _WAYS |= {
        f"{_side} hand": (
            {f"{_side} index": 0.5, f"{_side} pinky": 0.5},
            {f"{_side} wrist": 1.28, f"{_side} elbow": -0.28},
        ),
        f"tip of {_side} hand": ({f"{_side} index": 1.0},),
        f"{_side} wrist": ({f"{_side} hand": 1.0},),
        f"{_side} ankle": ({f"{_side} foot": 1.0},),
        f"{_side} foot": (
            *({f"{_side} big toe": 1.0}, {f"{_side} foot index": 1.0}),
            {f"{_side} ankle": 1.0},
        ),
    }


def joint_weights(source: Layout, target: Layout) -> npt.NDArray[np.float64]:
    """Returns ``[V_target, V_source]``: of what each joint wanted is the weighted sum.

    A joint that both layouts name alike is that one. Weights add up to 1.

    Raises:
        ValueError: If there is no way to a joint; the message names it.
    """
    theirs, ours = get_skeleton(source), get_skeleton(target)
    known = {
        _MEANINGS.get((theirs.name, joint), joint): row
        for joint, row in zip(theirs.joint_names, np.eye(theirs.num_joints))
    }

    def find(joint: str, ahead: tuple[str, ...] = ()) -> npt.NDArray | None:
        if joint in known:
            return known[joint]
        for way in _WAYS.get(joint, ()) if joint not in ahead else ():
            found = [find(other, (*ahead, joint)) for other in way]
            if all(row is not None for row in found):
                return np.array([*way.values()]) @ np.array(found)
        return None

    rows = [
        find(_MEANINGS.get((ours.name, joint), joint)) for joint in ours.joint_names
    ]
    for joint, row in zip(ours.joint_names, rows):
        if row is None:
            raise ValueError(
                f"layout {theirs.name!r} has no {joint!r} of layout {ours.name!r}, nor "
                "joints to make it of; convert to another layout, or give a layout "
                "dict of your own without it"
            )
    return np.array(rows, np.float64)


def convert_joints(joints: npt.NDArray, source: Layout, target: Layout) -> npt.NDArray:
    """Returns the joints ``[..., V_target, C + 1]`` of another layout.

    Args:
        joints: ``[..., V_source, C + 1]``: finite coordinates in the axes of this
            module, then the confidence. A joint made of several has the least of
            theirs.
        source: The layout of the joints.
        target: The layout wanted.

    Raises:
        ValueError: If there is no way to a joint, or the target has another number of
            coordinates: the depth of a picture is not made up, and that of a place in
            space not dropped.
    """
    theirs, ours = get_skeleton(source), get_skeleton(target)
    wanted = (theirs.num_joints, ours.num_coordinates + 1)
    if joints.shape[-2:] != wanted:
        raise ValueError(
            f"joints of layout {theirs.name!r} have shape {list(joints.shape)}, layout "
            f"{ours.name!r} is made of [..., {wanted[0]}, {wanted[1]}]; take a layout "
            "and an estimator that are both of a picture (2D) or both of space (3D)"
        )
    weights = joint_weights(theirs, ours)
    converted = weights @ joints
    for joint, row in enumerate(weights):
        converted[..., joint, -1] = joints[..., row != 0, -1].min(axis=-1)
    return converted.astype(joints.dtype)
