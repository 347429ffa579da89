"""Transforms that move, scale and turn a sequence.

Annotations mark a person who is not in a frame by zeros in all joints. These stay at
zero here, or a ghost would appear. Required and modified key: ``keypoint``
``[M, T, V, C]``, which becomes float64, but for that of MaskedPreNormalize2D and, of
float32, RandomRotation3D. Random rotations are drawn anew for every sample, in which
all frames and persons are turned alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.datasets.transforms import PreNormalize2D
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from gap_mmaction.skeletons import get_skeleton

from .fast_transforms import take_3d


class ShownTransform(BaseTransform):
    """A transform whose attributes are its arguments, shown as such."""

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({arguments})"


def center(keypoint: np.ndarray, joint: int) -> np.ndarray:
    """Subtracts a joint of the first person's first frame from ``[M, T, V, C]``.

    The first person is the first one who is there in any frame, be it later than
    another one: actor 1 of NTU RGB+D, whose first frame is the origin also where actor
    2 comes earlier. What was centred already is left as it is; there an empty frame of
    NTU RGB+D may have become a single point, which is no body.
    """
    present = np.asarray(keypoint.any(axis=(2, 3)))
    bodies = np.asarray((keypoint != keypoint[:, :, :1]).any(axis=(2, 3)))
    bodies = bodies if bodies.any() else present
    person = int(bodies.any(axis=1).argmax())
    frame = int(bodies[person].argmax())
    moved = keypoint.astype(np.float64)
    moved -= moved[person, frame, joint].copy()
    return np.where(present[..., None, None], moved, 0.0)


@TRANSFORMS.register_module()
class CenterSkeleton(ShownTransform):
    """Subtract one joint of person 0 in their first frame from the whole sequence.

    As in CTR-GCN's NW-UCLA feeder and its scripts for NTU RGB+D, which take joint 1,
    the spine. Unlike stock ``PreNormalize3D`` it neither turns the body nor drops
    frames.

    Args:
        joint: 0-based index of the joint, or, with ``layout``, its name.
        layout: Joint layout, a name or a dict, see ``get_skeleton``.
    """

    def __init__(
        self, joint: int | str = 1, layout: str | dict[str, Any] | None = None
    ) -> None:
        skeleton = None if layout is None else get_skeleton(layout)
        if isinstance(joint, str):
            names = () if skeleton is None else skeleton.joint_names
            if joint not in names:
                raise ValueError(
                    f"CenterSkeleton: joint={joint!r} is not in layout={layout!r}; "
                    f"give an index or one of {', '.join(names) or '(set a layout)'}"
                )
            joint = names.index(joint)
        elif joint < 0 or (skeleton is not None and joint >= skeleton.num_joints):
            raise ValueError(
                f"CenterSkeleton: joint={joint} is out of range; indices are 0-based"
                + ("" if skeleton is None else f", up to {skeleton.num_joints - 1}")
            )
        self.joint = joint

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Centres ``results['keypoint']``."""
        keypoint = results["keypoint"]
        if self.joint >= keypoint.shape[2]:
            raise ValueError(
                f"CenterSkeleton: joint={self.joint}, but '{results.get('frame_dir')}' "
                f"has joints 0..{keypoint.shape[2] - 1}; set 'joint' for this layout"
            )
        results["keypoint"] = center(keypoint, self.joint)
        return results


@TRANSFORMS.register_module()
class MinMaxNormalize3D(ShownTransform):
    """Map each axis of a sequence linearly to [-1, 1], in float64.

    As in the NW-UCLA feeder of CTR-GCN, over all persons, frames and joints; an axis
    without extent, and absent persons, become zero. It comes after rotation and before
    frames are sampled.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Scales ``results['keypoint']``."""
        keypoint = results["keypoint"]
        present = np.asarray(keypoint.any(axis=(2, 3)))
        values = results["keypoint"] = keypoint.astype(np.float64)
        if present.any():
            seen = values[present]
            low, high = seen.min(axis=(0, 1)), seen.max(axis=(0, 1))
            extent = high - low
            scaled = (values - low) / np.where(extent > 0, extent, 1.0) * 2 - 1
            there = present[..., None, None] & (extent > 0)
            results["keypoint"] = np.where(there, scaled, 0.0)
        return results


@TRANSFORMS.register_module()
class MaskedPreNormalize2D(PreNormalize2D):
    """Scale by the size of the picture; persons stay at zero where they are not there.

    mmaction2's ``PreNormalize2D`` moves their zeros to (-1, -1), the corner of the
    picture, while a second person whom the annotation lacks stays at zero: one clip
    would have two forms. ``keypoint`` is in pixels; ``img_shape``, height and width, is
    a key of the sample or the argument.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Scales ``results['keypoint']``."""
        absent = ~results["keypoint"].any(axis=(2, 3))
        super().transform(results)
        results["keypoint"][absent] = 0
        return results


def _axis_rotations(x: float, y: float, z: float = 0.0) -> list[np.ndarray]:
    """Makes the matrices ``[3, 3]`` of rotations about x, y and z, in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos([x, y, z]), np.sin([x, y, z])
    return [
        np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]]),
        np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]),
        np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]]),
    ]


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
class RandomRotation3D(ShownTransform):
    """Turn a sequence by an angle about each axis, of float32 or float64.

    The training augmentation of CTR-GCN's NTU feeder, after the clip was cut out.
    ``max_angle`` is the largest angle either way, in radians.
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


@TRANSFORMS.register_module()
class RandomViewRotation(ShownTransform):
    """Turn a sequence by whole degrees about x and y, in float64.

    The training augmentation of CTR-GCN's NW-UCLA feeder. The feeder also draws a
    scale between 0.5 and 1.5, which its min-max step cancels; it is left out.
    ``max_angle`` is the largest angle either way, in whole degrees.
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
