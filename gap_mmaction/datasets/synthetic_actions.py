"""The ten actions of the synthetic set, as tables of joint rotations.

Several pairs resemble each other on purpose: nod and shake are the same small motion
about another axis, bow and squat both lower the trunk, kick and march both lift a leg,
wave, punch, clap and raise share the arms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gap_mmaction.datasets.synthetic_body import LAYOUT, PITCH, ROLL, YAW, joint
from gap_mmaction.skeletons import get_skeleton

_MIRROR = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Move:
    """One joint's part in an action.

    Attributes:
        where: Name of a joint; ``lead`` and ``off`` stand for the side that acts and
            the other one, ``both`` for the two.
        axis: ``PITCH``, ``YAW`` or ``ROLL``, signs as for the left side.
        degrees: Angle at the peak.
        course: How it goes with the phase, a key of :data:`COURSES`.
    """

    where: str
    axis: int
    degrees: float
    course: str = "pulse"


@dataclass(frozen=True)
class Action:
    """What a class of the set does.

    Attributes:
        label: Its name, that of the description file.
        tempo: Cycles a second.
        moves: The rotations.
    """

    label: str
    tempo: float
    moves: tuple[Move, ...]


def _hold(phase: np.ndarray) -> np.ndarray:
    return np.ones_like(phase)


def _pulse(phase: np.ndarray) -> np.ndarray:
    return np.asarray((1 - np.cos(phase)) / 2)


def _opposite(phase: np.ndarray) -> np.ndarray:
    return _pulse(phase + np.pi)


def _ahead(phase: np.ndarray) -> np.ndarray:
    return _pulse(phase + np.pi / 3)


def _snap(phase: np.ndarray) -> np.ndarray:
    return np.asarray(_pulse(phase) ** 3)


COURSES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hold": _hold,
    "pulse": _pulse,
    "opposite": _opposite,
    "ahead": _ahead,
    "snap": _snap,
    "swing": np.sin,
}
"""How far a rotation is, as a function of the phase in radians."""

ACTIONS = (
    Action(
        "nod the head",
        1.1,
        (Move("neck", PITCH, 34), Move("spine", PITCH, 5)),
    ),
    Action(
        "shake the head",
        1.1,
        (
            Move("neck", YAW, 50, "swing"),
            Move("neck", ROLL, 12, "swing"),
            Move("spine", YAW, 5, "swing"),
        ),
    ),
    Action(
        "wave one hand",
        1.3,
        (
            Move("lead shoulder", ROLL, 75, "hold"),
            Move("lead elbow", ROLL, 70, "hold"),
            Move("lead elbow", ROLL, 28, "swing"),
            Move("lead wrist", ROLL, 15, "swing"),
        ),
    ),
    Action(
        "throw a punch",
        0.9,
        (
            Move("both shoulder", PITCH, -25, "hold"),
            Move("both elbow", PITCH, -105, "hold"),
            Move("lead shoulder", PITCH, -55, "snap"),
            Move("lead elbow", PITCH, 95, "snap"),
            Move("middle of spine", YAW, -18, "snap"),
        ),
    ),
    Action(
        "clap the hands",
        1.5,
        (
            Move("both shoulder", PITCH, -40, "hold"),
            Move("both elbow", PITCH, -65, "hold"),
            Move("both shoulder", YAW, -8, "hold"),
            Move("both shoulder", YAW, 28, "swing"),
        ),
    ),
    Action(
        "raise both arms",
        0.6,
        (
            Move("both shoulder", ROLL, 140),
            Move("both elbow", PITCH, -20),
            Move("neck", PITCH, -10),
        ),
    ),
    Action(
        "bow",
        0.5,
        (
            Move("base of spine", PITCH, 38),
            Move("both hip", PITCH, -38),
            Move("middle of spine", PITCH, 22),
            Move("neck", PITCH, 10),
            Move("both shoulder", PITCH, -45),
        ),
    ),
    Action(
        "squat",
        0.5,
        (
            Move("base of spine", PITCH, 26),
            Move("both hip", PITCH, -96),
            Move("both knee", PITCH, 94),
            Move("both ankle", PITCH, -24),
            Move("both shoulder", PITCH, -40),
        ),
    ),
    Action(
        "kick forward",
        0.8,
        (
            Move("lead hip", PITCH, -65),
            Move("lead knee", PITCH, 60, "ahead"),
            Move("off shoulder", PITCH, -28),
            Move("middle of spine", PITCH, -8),
        ),
    ),
    Action(
        "march in place",
        0.8,
        (
            Move("lead hip", PITCH, -60),
            Move("lead knee", PITCH, 75),
            Move("off hip", PITCH, -60, "opposite"),
            Move("off knee", PITCH, 75, "opposite"),
            Move("off shoulder", PITCH, -30),
            Move("lead shoulder", PITCH, -30, "opposite"),
        ),
    ),
)
"""The classes, in the order of the labels."""


def _sides(where: str) -> tuple[str, ...]:
    """Resolve lead to left, off to right and both to the two."""
    first, _, rest = where.partition(" ")
    sides = {"lead": ("left",), "off": ("right",), "both": ("left", "right")}
    return (
        tuple(f"{side} {rest}" for side in sides[first]) if first in sides else (where,)
    )


def perform(action: Action, phase: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Act, with the left side in the lead.

    Args:
        action: What to do.
        phase: Phase of every frame in radians ``[T]``.
        strength: Factor of every move in every frame ``[len(action.moves), T]``.

    Returns:
        (pitch, yaw, roll) of every joint in radians ``[T, V, 3]``.
    """
    angles = np.zeros((len(phase), get_skeleton(LAYOUT).num_joints, 3))
    for move, factor in zip(action.moves, strength):
        course = np.radians(move.degrees) * factor * COURSES[move.course](phase)
        for name in _sides(move.where):
            sign = _MIRROR[move.axis] if name.startswith("right") else 1.0
            angles[:, joint(name), move.axis] += sign * course
    return angles
