"""A jointed body of the NTU layout and its forward kinematics.

Body axes: x to the person's left, y up, z to the front. A joint's rotation turns
everything that hangs on it. Angles are (pitch, yaw, roll) about x, y and z: positive
pitch tips what points up to the front and what hangs down to the back, positive yaw
turns to the person's left, positive roll lifts a hanging left arm sideways.
"""

from __future__ import annotations

import numpy as np

from gap_mmaction.skeletons import get_skeleton

LAYOUT = "nturgb+d"
ROOT = "base of spine"
PITCH, YAW, ROLL = range(3)

_NAMES = get_skeleton(LAYOUT).joint_names
_FOOT_SOFTNESS = 0.03
"""Metres over which the weight passes from one foot to the other."""

# Where a joint is, seen from its parent, in metres, on an adult of 1.75 m who stands
# upright with hanging arms. The right side is the mirror image.
_REST = {
    "middle of spine": (0.0, 0.22, 0.0),
    "spine": (0.0, 0.24, 0.0),
    "neck": (0.0, 0.09, 0.0),
    "head": (0.0, 0.15, 0.05),
    "left shoulder": (0.17, -0.02, 0.0),
    "left elbow": (0.0, -0.28, 0.0),
    "left wrist": (0.0, -0.25, 0.0),
    "left hand": (0.0, -0.07, 0.0),
    "tip of left hand": (0.0, -0.08, 0.01),
    "left thumb": (0.0, -0.03, 0.05),
    "left hip": (0.09, -0.04, 0.0),
    "left knee": (0.0, -0.42, 0.0),
    "left ankle": (0.0, -0.40, 0.0),
    "left foot": (0.0, -0.06, 0.14),
}


def joint(name: str) -> int:
    """Get the index of a joint.

    Args:
        name: Its name in the layout.

    Returns:
        The 0-based index.
    """
    return _NAMES.index(name)


def _twin(name: str) -> str:
    """Name the joint on the other side, or the same in the middle."""
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


TWINS = np.array([joint(_twin(name)) for name in _NAMES])
"""For each joint the one on the other side of the body."""


def _walk_tree() -> tuple[tuple[int, int], ...]:
    """List (joint, parent) from the root outwards."""
    edges = get_skeleton(LAYOUT).edges
    order = [(joint(ROOT), joint(ROOT))]
    for current, parent in order:  # grows while it is walked
        for edge in edges:
            if current in edge:
                other = edge[0] + edge[1] - current
                if other != parent:
                    order.append((other, current))
    return tuple(order[1:])


TREE = _walk_tree()
"""(joint, parent) of every joint but the root, parents first."""


def rest_offsets() -> np.ndarray:
    """Give the body at rest.

    Returns:
        Offset of each joint from its parent ``[V, 3]`` in metres, the root's zero.
    """
    offsets = np.zeros((len(_NAMES), 3))
    for name, offset in _REST.items():
        offsets[joint(name)] = offset
        if _twin(name) != name:
            offsets[joint(_twin(name))] = np.multiply(offset, (-1, 1, 1))
    return offsets


def mirror(angles: np.ndarray) -> np.ndarray:
    """Swap left and right of a motion.

    Args:
        angles: ``[T, V, 3]``.

    Returns:
        Same shape.
    """
    return angles[:, TWINS] * np.array([1.0, -1.0, -1.0])


def rotations(angles: np.ndarray) -> np.ndarray:
    """Make rotation matrices: first yaw, then roll, then pitch.

    Args:
        angles: (pitch, yaw, roll) in radians ``[..., 3]``.

    Returns:
        ``[..., 3, 3]``, for columns.
    """
    (cx, cy, cz), (sx, sy, sz) = (
        np.moveaxis(function(angles), -1, 0) for function in (np.cos, np.sin)
    )
    rows = (
        (cz * cy, -sz, cz * sy),
        (cx * sz * cy + sx * sy, cx * cz, cx * sz * sy - sx * cy),
        (sx * sz * cy - cx * sy, sx * cz, sx * sz * sy + cx * cy),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def forward_kinematics(angles: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Place the joints of a moving body.

    Args:
        angles: (pitch, yaw, roll) of every joint in radians ``[T, V, 3]``.
        offsets: Offset of each joint from its parent ``[V, 3]`` in metres.

    Returns:
        Positions ``[T, V, 3]`` in metres, body axes, the root at the origin.
    """
    turn = rotations(angles)
    positions = np.zeros_like(angles)
    for child, parent in TREE:
        positions[:, child] = positions[:, parent] + turn[:, parent] @ offsets[child]
        turn[:, child] = turn[:, parent] @ turn[:, child]
    return positions


def stand_on_floor(positions: np.ndarray) -> np.ndarray:
    """Move a body so that the foot that carries it neither slides nor hovers.

    Args:
        positions: ``[T, V, 3]`` in metres, y up.

    Returns:
        Same shape; the lowest joint of each frame is at y = 0.
    """
    height = positions[..., 1].min(axis=1)
    ankles = positions[:, [joint("left ankle"), joint("right ankle")]]
    above = ankles[..., 1] - height[:, None]
    weight = np.exp(-above / _FOOT_SOFTNESS)
    weight /= weight.sum(axis=1, keepdims=True)
    # How far each foot is from where it would stand, mixed by the weight it carries.
    slide = ((ankles - ankles.mean(axis=0)) * weight[..., None]).sum(axis=1)
    slide[:, 1] = height
    return np.asarray(positions - slide[:, None])
