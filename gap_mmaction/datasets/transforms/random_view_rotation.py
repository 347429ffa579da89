"""Look at a sequence from another side."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from gap_mmaction.datasets.transforms.axis_rotations import (
    about_x,
    about_y,
    take_3d,
)


def rotation_matrix(degrees_x: float, degrees_y: float) -> np.ndarray:
    """Make the matrix that a row of coordinates is multiplied with.

    Args:
        degrees_x: Angle about the x axis.
        degrees_y: Angle about the y axis.

    Returns:
        ``Ry Rx``, float64 ``[3, 3]``, to be used as ``row @ matrix``.
    """
    x, y = np.radians([degrees_x, degrees_y])
    return np.asarray(about_y(y) @ about_x(x))


def rotate(keypoint: np.ndarray, degrees_x: float, degrees_y: float) -> np.ndarray:
    """Turn a sequence about the origin.

    Args:
        keypoint: ``[..., 3]``.
        degrees_x: Angle about the x axis.
        degrees_y: Angle about the y axis.

    Returns:
        float64, same shape.
    """
    return np.asarray(
        keypoint.astype(np.float64) @ rotation_matrix(degrees_x, degrees_y)
    )


@TRANSFORMS.register_module()
class RandomViewRotation(BaseTransform):
    """Turn a sequence by whole degrees about x and y, drawn anew for every sample.

    The training augmentation of CTR-GCN's NW-UCLA feeder. The feeder also draws a
    scale between 0.5 and 1.5, which its min-max step cancels; it is left out.

    Required and modified key: ``keypoint`` ``[M, T, V, 3]``, becomes float64.

    Args:
        max_angle: Largest angle either way, in whole degrees. Defaults to 60.

    Raises:
        ValueError: If ``max_angle`` is negative or not whole, or the data is not 3D.
    """

    def __init__(self, max_angle: int = 60) -> None:
        if not isinstance(max_angle, int) or max_angle < 0:
            raise ValueError(
                f"RandomViewRotation: max_angle={max_angle!r} is not a whole number of "
                "degrees >= 0"
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
        angles = np.random.randint(-self.max_angle, self.max_angle + 1, size=2)
        results["keypoint"] = rotate(keypoint, *angles)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_angle={self.max_angle})"
