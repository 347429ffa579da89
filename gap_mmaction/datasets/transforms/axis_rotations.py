"""Rotations about one axis, as CTR-GCN's feeders have them."""

from __future__ import annotations

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
