"""Turn a sequence by small angles about all axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from gap_mmaction.datasets.transforms.axis_rotations import (
    NUM_COORDINATES,
    about_x,
    about_y,
    about_z,
    take_3d,
)


def rotation_matrix_3d(theta: Sequence[float] | np.ndarray) -> np.ndarray:
    """Make the matrix that a column of coordinates is multiplied with.

    Args:
        theta: Angles about x, y and z in radians ``[3]``.

    Returns:
        ``Rz Ry Rx``, float64 ``[3, 3]``, to be used as ``matrix @ column``.
    """
    x, y, z = theta
    return np.asarray(about_z(z) @ about_y(y) @ about_x(x))


def rotate_3d(keypoint: np.ndarray, theta: Sequence[float] | np.ndarray) -> np.ndarray:
    """Turn a sequence about the origin.

    Args:
        keypoint: ``[..., 3]``.
        theta: Angles about x, y and z in radians ``[3]``.

    Returns:
        Same shape, float32, or float64 if it came so; zeros stay zero.
    """
    dtype = np.result_type(keypoint.dtype, np.float32)
    matrix = rotation_matrix_3d(theta).astype(dtype)
    return np.asarray(keypoint.astype(dtype, copy=False) @ matrix.T)


@TRANSFORMS.register_module()
class RandomRotation3D(BaseTransform):
    """Turn a sequence by an angle about each axis, drawn anew for every sample.

    The training augmentation of CTR-GCN's NTU feeder, after the clip was cut out. All
    frames and persons are turned alike; a person who is not there stays at zero.

    Required and modified key: ``keypoint`` ``[M, T, V, 3]``, becomes float32 or stays
    float64.

    Args:
        max_angle: Largest angle either way, in radians. Defaults to 0.3.

    Raises:
        ValueError: If ``max_angle`` is negative, or the data is not 3D.
    """

    def __init__(self, max_angle: float = 0.3) -> None:
        if not 0 <= max_angle <= np.pi:
            raise ValueError(
                f"RandomRotation3D: max_angle={max_angle!r} is not between 0 and pi; "
                "it is in radians"
            )
        self.max_angle = max_angle

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Turn ``results['keypoint']``.

        Args:
            results: The sample.

        Returns:
            The sample.
        """
        keypoint = take_3d(results, type(self).__name__)
        theta = np.random.uniform(-self.max_angle, self.max_angle, size=NUM_COORDINATES)
        results["keypoint"] = rotate_3d(keypoint, theta)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_angle={self.max_angle})"
