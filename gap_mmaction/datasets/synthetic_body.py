"""A jointed body of the NTU layout, its kinematics and the ten actions it does.

Body axes: x to the person's left, y up, z to the front. A joint's rotation turns
everything that hangs on it. Angles are (pitch, yaw, roll) about x, y and z: positive
pitch tips what points up to the front and what hangs down to the back, positive yaw
turns to the person's left, positive roll lifts a hanging left arm sideways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gap_mmaction.skeletons import get_skeleton

LAYOUT = "nturgb+d"
PITCH, YAW, ROLL = range(3)
MIRROR = np.array([1.0, -1.0, -1.0])
"""Signs of the angles on the right side of the body."""

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
    """Returns the 0-based index of a joint."""
    return _NAMES.index(name)


def _twin(name: str) -> str:
    """Names the joint on the other side, or the same in the middle."""
    one, other = ("left", "right") if "left" in name else ("right", "left")
    return name.replace(one, other)


TWINS = np.array([joint(_twin(name)) for name in _NAMES])
"""For each joint the one on the other side of the body."""


def _walk_tree() -> tuple[tuple[int, int], ...]:
    """Lists (joint, parent) from the root outwards."""
    root = joint("base of spine")
    order = [(root, root)]
    for current, parent in order:  # grows while it is walked
        for edge in get_skeleton(LAYOUT).edges:
            if current in edge and parent not in set(edge) - {current}:
                order.append((sum(edge) - current, current))
    return tuple(order[1:])


TREE = _walk_tree()
"""(joint, parent) of every joint but the root, parents first."""


def rest_offsets() -> np.ndarray:
    """Returns each joint's offset from its parent at rest, ``[V, 3]`` in metres."""
    offsets = np.zeros((len(_NAMES), 3))
    for name, offset in _REST.items():
        offsets[joint(name)] = offset
        if _twin(name) != name:
            offsets[joint(_twin(name))] = np.multiply(offset, (-1, 1, 1))
    return offsets


def mirror(angles: np.ndarray) -> np.ndarray:
    """Swaps left and right of a motion, angles ``[T, V, 3]``."""
    return angles[:, TWINS] * MIRROR


def rotations(angles: np.ndarray) -> np.ndarray:
    """Makes matrices ``[..., 3, 3]`` for columns: first yaw, then roll, then pitch."""
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
    """Places the joints of a moving body, the root at the origin.

    Takes (pitch, yaw, roll) of every joint in radians ``[T, V, 3]`` and the offset of
    each from its parent ``[V, 3]``; returns positions ``[T, V, 3]``, both in metres.
    """
    turn = rotations(angles)
    positions = np.zeros_like(angles)
    for child, parent in TREE:
        positions[:, child] = positions[:, parent] + turn[:, parent] @ offsets[child]
        turn[:, child] = turn[:, parent] @ turn[:, child]
    return positions


def stand_on_floor(positions: np.ndarray) -> np.ndarray:
    """Moves a body so that the foot that carries it neither slides nor hovers.

    The lowest joint of each frame of ``[T, V, 3]`` comes to y = 0.
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


def _pulse(phase: np.ndarray) -> np.ndarray:
    return np.asarray((1 - np.cos(phase)) / 2)


# How far a rotation is, as a function of the phase in radians.
_COURSES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hold": np.ones_like,
    "pulse": _pulse,
    "opposite": lambda phase: _pulse(phase + np.pi),
    "ahead": lambda phase: _pulse(phase + np.pi / 3),
    "snap": lambda phase: np.asarray(_pulse(phase) ** 3),
    "swing": np.sin,
}


class Move(NamedTuple):
    """One joint's part in an action."""

    where: str  # a joint, of the lead (the side that acts), the off side or both
    axis: int  # PITCH, YAW or ROLL, signs as for the left side
    degrees: float  # at the peak
    course: str = "pulse"  # how it goes with the phase


class Action(NamedTuple):
    """A class of the set; ``tempo`` is in cycles a second."""

    label: str
    tempo: float
    moves: tuple[Move, ...]


# By the name in the description file and the cycles a second. Several pairs resemble
# each other on purpose: nod and shake are the same small motion about another axis, bow
# and squat both lower the trunk, kick and march both lift a leg, wave, punch, clap and
# raise share the arms.
_MOVES = {
    ("nod the head", 1.1): [Move("neck", PITCH, 34), Move("spine", PITCH, 5)],
    ("shake the head", 1.1): [
        Move("neck", YAW, 50, "swing"),
        Move("neck", ROLL, 12, "swing"),
        Move("spine", YAW, 5, "swing"),
    ],
    ("wave one hand", 1.3): [
        Move("lead shoulder", ROLL, 75, "hold"),
        Move("lead elbow", ROLL, 70, "hold"),
        Move("lead elbow", ROLL, 28, "swing"),
        Move("lead wrist", ROLL, 15, "swing"),
    ],
    ("throw a punch", 0.9): [
        Move("both shoulder", PITCH, -25, "hold"),
        Move("both elbow", PITCH, -105, "hold"),
        Move("lead shoulder", PITCH, -55, "snap"),
        Move("lead elbow", PITCH, 95, "snap"),
        Move("middle of spine", YAW, -18, "snap"),
    ],
    ("clap the hands", 1.5): [
        Move("both shoulder", PITCH, -40, "hold"),
        Move("both elbow", PITCH, -65, "hold"),
        Move("both shoulder", YAW, -8, "hold"),
        Move("both shoulder", YAW, 28, "swing"),
    ],
    ("raise both arms", 0.6): [
        Move("both shoulder", ROLL, 140),
        Move("both elbow", PITCH, -20),
        Move("neck", PITCH, -10),
    ],
    ("bow", 0.5): [
        Move("base of spine", PITCH, 38),
        Move("both hip", PITCH, -38),
        Move("middle of spine", PITCH, 22),
        Move("neck", PITCH, 10),
        Move("both shoulder", PITCH, -45),
    ],
    ("squat", 0.5): [
        Move("base of spine", PITCH, 26),
        Move("both hip", PITCH, -96),
        Move("both knee", PITCH, 94),
        Move("both ankle", PITCH, -24),
        Move("both shoulder", PITCH, -40),
    ],
    ("kick forward", 0.8): [
        Move("lead hip", PITCH, -65),
        Move("lead knee", PITCH, 60, "ahead"),
        Move("off shoulder", PITCH, -28),
        Move("middle of spine", PITCH, -8),
    ],
    ("march in place", 0.8): [
        Move("lead hip", PITCH, -60),
        Move("lead knee", PITCH, 75),
        Move("off hip", PITCH, -60, "opposite"),
        Move("off knee", PITCH, 75, "opposite"),
        Move("off shoulder", PITCH, -30),
        Move("lead shoulder", PITCH, -30, "opposite"),
    ],
}
ACTIONS = tuple(
    Action(label, tempo, tuple(moves)) for (label, tempo), moves in _MOVES.items()
)
"""The classes, in the order of the labels."""


def _sides(where: str) -> list[str]:
    """Resolves lead to left, off to right and both to the two."""
    word, _, part = where.partition(" ")
    sides = {"lead": "left", "off": "right", "both": "left right"}.get(word, word)
    return [f"{side} {part}".rstrip() for side in sides.split()]


def perform(action: Action, phase: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Acts, with the left side in the lead.

    Takes the phase of every frame in radians ``[T]`` and a factor of every move in
    every frame ``[len(action.moves), T]``; returns the (pitch, yaw, roll) of every
    joint in radians ``[T, V, 3]``.
    """
    angles = np.zeros((len(phase), len(TWINS), 3))
    for move, factor in zip(action.moves, strength):
        course = np.radians(move.degrees) * factor * _COURSES[move.course](phase)
        for name in _sides(move.where):
            sign = MIRROR[move.axis] if name.startswith("right") else 1.0
            angles[:, joint(name), move.axis] += sign * course
    return angles
