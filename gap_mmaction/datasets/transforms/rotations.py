"""Random rotations, the training augmentations of CTR-GCN's feeders.

They are drawn anew for every sample. All frames and persons are turned alike; a person
who is not there stays at zero. Required and modified: ``keypoint`` ``[M, T, V, 3]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


def _axis_rotations(x: float, y: float, z: float = 0.0) -> list[np.ndarray]:
    """Makes the matrices ``[3, 3]`` of rotations about x, y and z, in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos([x, y, z]), np.sin([x, y, z])
    return [
        np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]]),
        np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]),
        np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]]),
    ]


def take_3d(results: dict[str, Any], transform: str) -> np.ndarray:
    """Takes the coordinates ``[M, T, V, 3]`` of a sample that is to be turned."""
    keypoint: np.ndarray = results["keypoint"]
    if keypoint.shape[-1] != 3:
        raise ValueError(
            f"{transform}: 'keypoint' of '{results.get('frame_dir')}' has "
            f"{keypoint.shape[-1]} coordinates, 3 are needed; leave this transform out "
            "for 2D data"
        )
    return keypoint


def rotate_3d(keypoint: np.ndarray, theta: Sequence[float] | np.ndarray) -> np.ndarray:
    """Turns a sequence ``[..., 3]`` about the origin: ``Rz Ry Rx @ column``.

    ``theta`` are the angles about x, y and z in radians. The result is float32, or
    float64 if it came so; zeros stay zero.
    """
    dtype = np.result_type(keypoint.dtype, np.float32)
    about_x, about_y, about_z = _axis_rotations(*theta)
    matrix = (about_z @ about_y @ about_x).astype(dtype)
    return np.asarray(keypoint.astype(dtype, copy=False) @ matrix.T)


def rotate_view(keypoint: np.ndarray, degrees_x: float, degrees_y: float) -> np.ndarray:
    """Turns a sequence ``[..., 3]`` about the origin: ``row @ Ry Rx``, in float64."""
    about_x, about_y, _ = _axis_rotations(*np.radians([degrees_x, degrees_y]))
    return np.asarray(keypoint.astype(np.float64) @ (about_y @ about_x))


@TRANSFORMS.register_module()
class RandomRotation3D(BaseTransform):
    """Turn a sequence by an angle about each axis, of float32 or float64.

    The training augmentation of CTR-GCN's NTU feeder, after the clip was cut out.

    Args:
        max_angle: Largest angle either way, in radians.
    """

    def __init__(self, max_angle: float = 0.3) -> None:
        if not 0 <= max_angle <= np.pi:
            raise ValueError(
                f"RandomRotation3D: max_angle={max_angle!r} is not between 0 and pi; "
                "it is in radians"
            )
        self.max_angle = max_angle

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Turns ``results['keypoint']``."""
        keypoint = take_3d(results, type(self).__name__)
        theta = np.random.uniform(-self.max_angle, self.max_angle, size=3)
        results["keypoint"] = rotate_3d(keypoint, theta)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_angle={self.max_angle})"


@TRANSFORMS.register_module()
class RandomViewRotation(BaseTransform):
    """Turn a sequence by whole degrees about x and y, in float64.

    The training augmentation of CTR-GCN's NW-UCLA feeder. The feeder also draws a
    scale between 0.5 and 1.5, which its min-max step cancels; it is left out.

    Args:
        max_angle: Largest angle either way, in whole degrees.
    """

    def __init__(self, max_angle: int = 60) -> None:
        if not isinstance(max_angle, int) or max_angle < 0:
            raise ValueError(
                f"RandomViewRotation: max_angle={max_angle!r} is not a whole number of "
                "degrees >= 0"
            )
        self.max_angle = max_angle

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Turns ``results['keypoint']``."""
        keypoint = take_3d(results, type(self).__name__)
        angles = np.random.randint(-self.max_angle, self.max_angle + 1, size=2)
        results["keypoint"] = rotate_view(keypoint, *angles)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_angle={self.max_angle})"
