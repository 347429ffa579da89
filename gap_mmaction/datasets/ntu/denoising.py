"""Which bodies are persons, and which moves most (rules 3 to 5 of the reference).

The thresholds are those of CTR-GCN's ``get_raw_denoised_data``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gap_mmaction.datasets.ntu.body import Body
from gap_mmaction.datasets.ntu.unusable_sample import UnusableSampleError

MAX_GHOST_LENGTH = 11
"""A body of at most this many frames is a ghost."""

# A body wider than this share of its height is furniture or a tracking fault.
_MAX_SPREAD = np.float32(0.8)
# Share of such frames from which on the body is dropped.
_MAX_NOISE = 0.69754


def rank_bodies(bodies: Sequence[Body]) -> list[Body]:
    """Drop ghosts and sort the rest by how much they move.

    Args:
        bodies: Two or more, in the order of their first frames.

    Returns:
        Those kept, the one with the most motion first, ties in the given order.

    Raises:
        UnusableSampleError: If none is long enough.
    """
    kept = [body for body in bodies if len(body.frames) > MAX_GHOST_LENGTH]
    if not kept:
        raise UnusableSampleError(
            f"none of its {len(bodies)} bodies has more than {MAX_GHOST_LENGTH} frames"
        )
    if len(kept) == 1:
        return kept
    ranked = _drop_wide(kept)
    # Stable, so that ties stay in order.
    return [body for body, _ in sorted(ranked, key=_motion_of_pair, reverse=True)]


def measure_motion(joints: npt.NDArray[np.float32]) -> np.float32:
    """Measure how much a body moves.

    Args:
        joints: ``[n, 25, 3]``, metres.

    Returns:
        Sum over x, y, z of the variance over all frames and joints, square metres.
        float32 throughout and in the reference's order of summation, as the order of
        two bodies hangs on it.
    """
    motion: np.float32 = np.sum(np.var(joints.reshape(-1, 3), axis=0))
    return motion


def find_noisy_frames(joints: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Find frames in which a body is too wide for a person.

    Args:
        joints: ``[n, 25, 3]``, metres.

    Returns:
        bool ``[n]``: extent along x above 0.8 times that along y.
    """
    # Joints first: numpy is slow at many short reductions.
    plane = np.ascontiguousarray(joints[..., :2].transpose(1, 2, 0))
    width, height = plane.max(axis=0) - plane.min(axis=0)
    noisy: npt.NDArray[np.bool_] = width > _MAX_SPREAD * height
    return noisy


def _drop_wide(bodies: list[Body]) -> list[tuple[Body, np.float32]]:
    """Drop bodies that are wide most of the time, but never the last one."""
    ranked = []
    num_left = len(bodies)
    for body in bodies:
        motion = measure_motion(body.joints)
        noisy = find_noisy_frames(body.joints)
        num_noisy = int(noisy.sum())
        if num_noisy and num_left > 1:
            if num_noisy / len(noisy) >= _MAX_NOISE:
                num_left -= 1
                continue
            # The frames themselves stay.
            motion = min(motion, measure_motion(body.joints[~noisy]))
        ranked.append((body, motion))
    return ranked


def _motion_of_pair(pair: tuple[Body, np.float32]) -> np.float32:
    return pair[1]
