"""One or two actors out of the bodies of a recording, as CTR-GCN chooses them.

Rules 2 to 8 of the reference: ghosts and furniture are dropped, the rest is sorted by
motion, dealt out to two actors and moved to the first one's spine. The thresholds are
those of CTR-GCN's ``get_raw_denoised_data``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gap_mmaction.datasets.ntu.skeleton_file import Body, RawSequence

MAX_GHOST_LENGTH = 11
"""A body of at most this many frames is a ghost."""

# A body wider than this share of its height is furniture or a tracking fault.
_MAX_SPREAD = np.float32(0.8)
# Share of such frames from which on the body is dropped.
_MAX_NOISE = 0.69754
_COORDINATES = 75  # of one actor, joint-major x, y, z
_COLUMNS = (slice(0, _COORDINATES), slice(_COORDINATES, 2 * _COORDINATES))
_CENTER = slice(3, 6)  # joint 1, from 0: the middle of the spine
_RULE_2 = "rule 2: frames of a body that leaves and comes back stay where they are"
_RULE_6 = "rule 6: bodies are dealt out to the actors by the frames they have"


class UnusableSampleError(ValueError):
    """A sample without a result, though its file is whole; the reference crashes."""


class Actors(NamedTuple):
    """The actors of a recording, and the ids of bodies that have no place beside them.

    ``joints`` is float32 ``[T, 75]`` for one or ``[T, 150]`` for two actors,
    joint-major x, y, z; zero where an actor is missing.
    """

    joints: npt.NDArray[np.float32]
    left_out: tuple[str, ...] = ()


def select_actors(sequence: RawSequence, protocol: str) -> tuple[Actors, list[str]]:
    """Chooses one or two actors (rules 2 to 7), still where the camera saw them.

    The second result is what ``clean`` did otherwise than ``reference``.
    """
    bodies, num_frames = sequence.bodies, sequence.num_frames
    if not bodies:
        raise UnusableSampleError("no frame has a body")
    changes = []
    if protocol == "clean" and any(body.is_doubled for body in bodies):
        bodies = [body.without_doubles() for body in bodies]
        changes.append("a body that is twice in a frame counts once")
    ranked = bodies if len(bodies) == 1 else _rank_bodies(bodies)
    if len(ranked) == 1:
        actors = Actors(np.zeros((num_frames, _COORDINATES), dtype=np.float32))
        _write(actors.joints, ranked[0].closed_up())
        if len(bodies) == 1:
            return actors, changes
    elif protocol == "reference":
        actors = place_reference(ranked, num_frames)
    else:
        actors = place_clean(ranked, num_frames)
        closed = [body.closed_up() for body in ranked]
        only_rule_6 = place_clean(closed, num_frames).joints
        if not np.array_equal(actors.joints, only_rule_6):
            changes.append(_RULE_2)
        if not np.array_equal(only_rule_6, place_reference(closed, num_frames).joints):
            changes.append(_RULE_6)
    # Rule 7: frames whose coordinates sum to 0 are removed.
    joints = actors.joints[actors.joints.sum(axis=1) != 0]
    return Actors(joints, actors.left_out), changes


def _rank_bodies(bodies: Sequence[Body]) -> list[Body]:
    """Drops ghosts and sorts the rest by how much they move (rules 3 to 5)."""
    kept = [body for body in bodies if len(body.frames) > MAX_GHOST_LENGTH]
    if not kept:
        raise UnusableSampleError(
            f"none of its {len(bodies)} bodies has more than {MAX_GHOST_LENGTH} frames"
        )
    if len(kept) == 1:
        return kept
    ranked = []
    num_left = len(kept)
    for body in kept:
        motion = _measure_motion(body.joints)
        noisy = _find_noisy_frames(body.joints)
        num_noisy = int(noisy.sum())
        if num_noisy and num_left > 1:  # the last one is never dropped
            if num_noisy / len(noisy) >= _MAX_NOISE:
                num_left -= 1
                continue
            # The frames themselves stay.
            motion = min(motion, _measure_motion(body.joints[~noisy]))
        ranked.append((body, motion))
    # Stable, so that ties stay in order.
    return [body for body, _ in sorted(ranked, key=lambda pair: -pair[1])]


def _measure_motion(joints: npt.NDArray[np.float32]) -> np.float32:
    """Sums the variances of x, y and z over all frames and joints, square metres."""
    # In float32 and the reference's order of summation: the ranking hangs on it.
    return np.float32(np.sum(np.var(joints.reshape(-1, 3), axis=0)))


def _find_noisy_frames(joints: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Finds frames in which a body is too wide for a person."""
    # Joints first: numpy is slow at many short reductions.
    plane = np.ascontiguousarray(joints[..., :2].transpose(1, 2, 0))
    width, height = plane.max(axis=0) - plane.min(axis=0)
    return np.asarray(width > _MAX_SPREAD * height)


def place_reference(bodies: Sequence[Body], num_frames: int) -> Actors:
    """Deals bodies out to two actors as the reference does, quirks included.

    The first of two or more bodies moves most. Each is taken to be there in all frames
    from its first one on (rule 2). It joins actor 1, or else actor 2, if it shares at
    most one frame with the actor's interval, over which it then writes; the interval
    grows to the hull. Actor 2's interval is [0, 0] at first, so that its start stays
    there. Actor 2 may be all zero.
    """
    joints = np.zeros((num_frames, 2 * _COORDINATES), dtype=np.float32)
    first = bodies[0].closed_up()
    _write(joints[:, _COLUMNS[0]], first)
    intervals = [(first.start, int(first.frames[-1])), (0, 0)]
    left_out = []
    for body in bodies[1:]:
        moved = body.closed_up()
        start, end = moved.start, int(moved.frames[-1])
        for actor, (actor_start, actor_end) in enumerate(intervals):
            if min(actor_end, end) - max(actor_start, start) <= 0:
                _write(joints[:, _COLUMNS[actor]], moved)
                intervals[actor] = (min(start, actor_start), max(end, actor_end))
                break
        else:
            left_out.append(body.identity)
    return Actors(joints, tuple(left_out))


def place_clean(bodies: Sequence[Body], num_frames: int) -> Actors:
    """Deals bodies out to two actors without the reference's quirks.

    Frames stay where they are. A body joins actor 1, or else actor 2, if they share at
    most one frame, which the actor keeps; an actor has the frames it has, not all
    between its first and last. If nobody is left for actor 2, there is one actor.
    """
    joints = np.zeros((num_frames, 2 * _COORDINATES), dtype=np.float32)
    present = np.zeros((2, num_frames), dtype=bool)
    left_out = []
    for body in bodies:
        for actor in range(2):
            is_new = ~present[actor, body.frames]
            if np.count_nonzero(~is_new) <= 1:
                frames = body.frames[is_new]
                rows = body.joints[is_new].reshape(-1, _COORDINATES)
                joints[frames, _COLUMNS[actor]] = rows
                present[actor, frames] = True
                break
        else:
            left_out.append(body.identity)
    if not present[1].any():
        joints = np.ascontiguousarray(joints[:, _COLUMNS[0]])
    return Actors(joints, tuple(left_out))


def _write(joints: npt.NDArray[np.float32], body: Body) -> None:
    end = body.start + len(body.frames)
    if end > len(joints):
        raise UnusableSampleError(
            f"body {body.identity} is twice in a frame and so has more frames than "
            "the recording"
        )
    joints[body.start : end] = body.joints.reshape(-1, _COORDINATES)


def translate(joints: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Moves joint 1 of actor 1 in its first frame that is not zero to the origin.

    This is rule 8. Of two actors, frames in which one is missing (its coordinates sum
    to 0) are zero for it; of one actor, every frame is moved.
    """
    there = joints[:, _COLUMNS[0]].any(axis=1)
    if not there.any():
        raise UnusableSampleError("all coordinates of actor 1 are zero")
    origin = joints[int(there.argmax()), _CENTER]
    moved = np.asarray(joints.reshape(len(joints), -1, 3) - origin)
    moved = moved.reshape(joints.shape)
    if joints.shape[1] > _COORDINATES:
        for columns in _COLUMNS:
            moved[joints[:, columns].sum(axis=1) == 0, columns] = 0
    return moved
