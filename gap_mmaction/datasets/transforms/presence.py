"""Which persons are there in which frames."""

from __future__ import annotations

import numpy as np


def find_presence(keypoint: np.ndarray) -> np.ndarray:
    """Tell frames with a person from those padded with zeros.

    Skeleton annotations mark a person who is not in a frame by zeros in all joints.
    Transforms that move coordinates must leave those at zero, or a ghost appears.

    Args:
        keypoint: ``[M, T, V, C]``.

    Returns:
        Booleans ``[M, T]``.
    """
    return np.asarray(keypoint.any(axis=(-2, -1)))
