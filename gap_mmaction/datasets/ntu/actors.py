"""One or two actors out of the ranked bodies (rules 2, 6 and 7 of the reference)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gap_mmaction.datasets.ntu.body import Body
from gap_mmaction.datasets.ntu.unusable_sample import UnusableSampleError

_COORDINATES = 75


@dataclass(frozen=True)
class Actors:
    """The actors of a recording.

    Attributes:
        joints: float32 ``[T, 75]`` for one or ``[T, 150]`` for two, joint-major x, y,
            z; zero where an actor is missing.
        left_out: Ids of the bodies that share frames with both actors.
    """

    joints: npt.NDArray[np.float32]
    left_out: tuple[str, ...] = ()


def place_single(body: Body, num_frames: int) -> Actors:
    """Make the only body the only actor.

    Args:
        body: The body.
        num_frames: Number of frames of the recording.

    Returns:
        One actor.

    Raises:
        UnusableSampleError: If the body has more frames than the recording.
    """
    joints = np.zeros((num_frames, _COORDINATES), dtype=np.float32)
    _write(joints, body.closed_up())
    return Actors(joints)


def place_reference(bodies: Sequence[Body], num_frames: int) -> Actors:
    """Deal bodies out to two actors as the reference does, quirks included.

    A body is taken to be there in all frames from its first one on (rule 2). It joins
    actor 1, or else actor 2, if it shares at most one frame with the actor's interval,
    over which it then writes; the interval grows to the hull. Actor 2's interval is
    [0, 0] at first, so that its start stays there.

    Args:
        bodies: Two or more, the one with the most motion first.
        num_frames: Number of frames of the recording.

    Returns:
        Two actors, the second perhaps all zero.

    Raises:
        UnusableSampleError: If a body has more frames than the recording.
    """
    joints = np.zeros((num_frames, 2 * _COORDINATES), dtype=np.float32)
    first = bodies[0].closed_up()
    _write(joints[:, :_COORDINATES], first)
    intervals = [(first.start, int(first.frames[-1])), (0, 0)]
    left_out = []
    for body in bodies[1:]:
        moved = body.closed_up()
        start, end = moved.start, int(moved.frames[-1])
        for actor, (actor_start, actor_end) in enumerate(intervals):
            if min(actor_end, end) - max(actor_start, start) <= 0:
                columns = slice(actor * _COORDINATES, (actor + 1) * _COORDINATES)
                _write(joints[:, columns], moved)
                intervals[actor] = (min(start, actor_start), max(end, actor_end))
                break
        else:
            left_out.append(body.identity)
    return Actors(joints, tuple(left_out))


def place_clean(bodies: Sequence[Body], num_frames: int) -> Actors:
    """Deal bodies out to two actors without the reference's quirks.

    Frames stay where they are. A body joins actor 1, or else actor 2, if they share at
    most one frame, which the actor keeps; an actor has the frames it has, not all
    between its first and last. If nobody is left for actor 2, there is one actor.

    Args:
        bodies: Two or more, the one with the most motion first.
        num_frames: Number of frames of the recording.

    Returns:
        One or two actors.
    """
    joints = np.zeros((num_frames, 2 * _COORDINATES), dtype=np.float32)
    present = np.zeros((2, num_frames), dtype=bool)
    left_out = []
    for body in bodies:
        for actor in range(2):
            is_new = ~present[actor, body.frames]
            if np.count_nonzero(~is_new) <= 1:
                frames = body.frames[is_new]
                columns = slice(actor * _COORDINATES, (actor + 1) * _COORDINATES)
                joints[frames, columns] = body.joints[is_new].reshape(-1, _COORDINATES)
                present[actor, frames] = True
                break
        else:
            left_out.append(body.identity)
    if not present[1].any():
        joints = np.ascontiguousarray(joints[:, :_COORDINATES])
    return Actors(joints, tuple(left_out))


def drop_missing_frames(joints: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Remove frames whose coordinates sum to 0 (rule 7).

    Args:
        joints: ``[T, 75]`` or ``[T, 150]``.

    Returns:
        The other frames.
    """
    return joints[joints.sum(axis=1) != 0]


def _write(joints: npt.NDArray[np.float32], body: Body) -> None:
    end = body.start + len(body.frames)
    if end > len(joints):
        raise UnusableSampleError(
            f"body {body.identity} is twice in a frame and so has more frames than "
            "the recording"
        )
    joints[body.start : end] = body.joints.reshape(-1, _COORDINATES)
