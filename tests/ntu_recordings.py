"""Made-up recordings in the raw text of NTU RGB+D, for tests and timing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# A standing person: x and y of the 25 joints, metres.
_POSE_X = (
    *(0.0, 0.0, 0.0, 0.0, -0.18, -0.25, -0.27, -0.28, 0.18, 0.25, 0.27, 0.28),
    *(-0.09, -0.11, -0.12, -0.13, 0.09, 0.11, 0.12, 0.13),
    *(0.0, -0.29, -0.25, 0.29, 0.25),
)
_POSE_Y = (
    *(0.0, 0.28, 0.55, 0.7, 0.45, 0.2, 0.0, -0.06, 0.45, 0.2, 0.0, -0.06),
    *(0.0, -0.4, -0.78, -0.85, 0.0, -0.4, -0.78, -0.85),
    *(0.48, -0.12, -0.04, -0.12, -0.04),
)
_FIRST_ID = 72057594037930000
_NEAR, _FAR = 2.0, 4.0  # metres from the camera

Frame = Sequence[tuple[str, npt.NDArray[np.float64]]]
"""Id and coordinates ``[25, 3]`` of each body of a frame."""


def format_skeleton(frames: Sequence[Frame], newline: str = "\n") -> bytes:
    """Writes a ``.skeleton`` file; what is not id or coordinates is made up."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for identity, joints in bodies:
            lines.append(f"{identity} 0 1 1 1 1 0 0.02764709 0.05745083 2")
            lines.append(str(len(joints)))
            for x, y, z in joints:
                color = f"{277.4 + 50 * x:.4f} {191.8 - 50 * y:.4f}"
                more = f"{1036.233 + x:.3f} {519.1677 - y:.4f} -0.2059419 0.05349901"
                lines.append(f"{x:.7g} {y:.7g} {z:.7g} {color} {more} 0.969 -0.123 2")
    return newline.join([*lines, ""]).encode()


def make_person(
    rng: np.random.Generator, num_frames: int, sway: float = 0.02
) -> npt.NDArray[np.float64]:
    """Makes up the way of one person, ``[num_frames, 25, 3]`` in metres."""
    pose = np.stack([_POSE_X, _POSE_Y, np.zeros(len(_POSE_X))], axis=-1)
    place = rng.uniform((-1.0, -0.2, _NEAR), (1.0, 0.2, _FAR))
    way = np.cumsum(rng.normal(0, sway / 2, (num_frames, 1, 3)), axis=0)
    joints: npt.NDArray[np.float64] = pose + place + way
    joints += rng.normal(0, sway, joints.shape)
    return joints


def make_recording(
    rng: np.random.Generator, num_frames: int, num_bodies: int = 1
) -> bytes:
    """Makes up a file in which everybody stays; 33 frames of one body are 90 KB."""
    persons = [make_person(rng, num_frames) for _ in range(num_bodies)]
    return format_skeleton(
        [
            [(str(_FIRST_ID + i), person[frame]) for i, person in enumerate(persons)]
            for frame in range(num_frames)
        ]
    )
