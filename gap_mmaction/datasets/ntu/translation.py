"""Move a recording to the first actor's spine (rule 8 of the reference)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gap_mmaction.datasets.ntu.unusable_sample import UnusableSampleError

_COORDINATES = 75
_CENTER = slice(3, 6)  # joint 1, from 0: the middle of the spine


def translate(joints: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Subtract joint 1 of actor 1 in its first frame that is not zero.

    Args:
        joints: ``[T, 75]`` or, for two actors, ``[T, 150]``, metres.

    Returns:
        The same shape. Of two actors, frames in which one is missing (its coordinates
        sum to 0) are zero for it; of one actor, every frame is moved.

    Raises:
        UnusableSampleError: If actor 1 is zero throughout.
    """
    there = joints[:, :_COORDINATES].any(axis=1)
    if not there.any():
        raise UnusableSampleError("all coordinates of actor 1 are zero")
    origin = joints[int(there.argmax()), _CENTER]
    points = joints.reshape(len(joints), -1, len(origin))
    moved: npt.NDArray[np.float32] = (points - origin).reshape(joints.shape)
    if joints.shape[1] > _COORDINATES:
        for actor in range(2):
            columns = slice(actor * _COORDINATES, (actor + 1) * _COORDINATES)
            moved[joints[:, columns].sum(axis=1) == 0, columns] = 0
    return moved
