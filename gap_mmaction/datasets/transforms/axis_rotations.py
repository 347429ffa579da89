"""Rotations about one axis, as CTR-GCN's feeders have them."""

from __future__ import annotations

from typing import Any

import numpy as np

NUM_COORDINATES = 3
"""Coordinates that a rotation needs."""


def about_x(radians: float) -> np.ndarray:
    """Make the matrix ``[3, 3]`` of a rotation about the x axis."""
    cos, sin = np.cos(radians), np.sin(radians)
    return np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])


def about_y(radians: float) -> np.ndarray:
    """Make the matrix ``[3, 3]`` of a rotation about the y axis."""
    cos, sin = np.cos(radians), np.sin(radians)
    return np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])


def about_z(radians: float) -> np.ndarray:
    """Make the matrix ``[3, 3]`` of a rotation about the z axis."""
    cos, sin = np.cos(radians), np.sin(radians)
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def take_3d(results: dict[str, Any], transform: str) -> np.ndarray:
    """Take the coordinates of a sample that is to be turned.

    Args:
        results: The sample.
        transform: What the message calls the transform.

    Returns:
        ``results['keypoint']`` ``[M, T, V, 3]``.

    Raises:
        ValueError: If they are not 3D.
    """
    keypoint: np.ndarray = results["keypoint"]
    if keypoint.shape[-1] != NUM_COORDINATES:
        raise ValueError(
            f"{transform}: 'keypoint' of '{results.get('frame_dir')}' has "
            f"{keypoint.shape[-1]} coordinates, 3 are needed; leave this transform out "
            "for 2D data"
        )
    return keypoint
