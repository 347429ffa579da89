"""Transforms that move and scale a sequence.

Annotations mark a person who is not in a frame by zeros in all joints. These stay at
zero here, or a ghost would appear. Required and modified key: ``keypoint``
``[M, T, V, C]``, which becomes float64 in CenterSkeleton and MinMaxNormalize3D.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mmaction.datasets.transforms import PreNormalize2D
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from gap_mmaction.skeletons import get_skeleton


def center(keypoint: np.ndarray, joint: int) -> np.ndarray:
    """Subtracts one joint of the first person's first frame from everything.

    The first person is the first one who is there in any frame, be it later than
    another one: actor 1 of NTU RGB+D, whose first frame is the origin also where actor
    2 comes earlier. What was centred already is left as it is.

    Args:
        keypoint: ``[M, T, V, C]``; becomes float64 in the same unit.
        joint: 0-based index of the joint.
    """
    present = np.asarray(keypoint.any(axis=(2, 3)))
    person = int(present.any(axis=1).argmax())
    frame = int(present[person].argmax())
    moved = keypoint.astype(np.float64)
    moved -= moved[person, frame, joint].copy()
    return np.where(present[..., None, None], moved, 0.0)


@TRANSFORMS.register_module()
class CenterSkeleton(BaseTransform):
    """Subtract one joint of person 0 in their first frame from the whole sequence.

    As in CTR-GCN's NW-UCLA feeder and its scripts for NTU RGB+D, which take joint 1,
    the spine. Unlike stock ``PreNormalize3D`` it neither turns the body nor drops
    frames.

    Args:
        joint: 0-based index of the joint, or, with ``layout``, its name.
        layout: Joint layout, a name or a dict, see ``get_skeleton``.

    Raises:
        ValueError: If the layout or the data has no such joint.
    """

    def __init__(
        self,
        joint: int | str = 1,
        layout: str | dict[str, Any] | None = None,
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

    def __repr__(self) -> str:
        return f"{type(self).__name__}(joint={self.joint})"


def minmax_normalize(keypoint: np.ndarray) -> np.ndarray:
    """Maps each axis of ``[M, T, V, C]`` linearly to [-1, 1], in float64.

    The extremes are those over all persons, frames and joints; an axis without extent,
    and absent persons, become zero.
    """
    present = np.asarray(keypoint.any(axis=(2, 3)))
    values = keypoint.astype(np.float64)
    if not present.any():
        return values
    seen = values[present]
    low, high = seen.min(axis=(0, 1)), seen.max(axis=(0, 1))
    extent = high - low
    scaled = (values - low) / np.where(extent > 0, extent, 1.0) * 2 - 1
    return np.where(present[..., None, None] & (extent > 0), scaled, 0.0)


@TRANSFORMS.register_module()
class MinMaxNormalize3D(BaseTransform):
    """Map each axis of a sequence to [-1, 1] over all its frames and joints.

    As in the NW-UCLA feeder of CTR-GCN. It comes after rotation and before frames are
    sampled.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Scales ``results['keypoint']``."""
        results["keypoint"] = minmax_normalize(results["keypoint"])
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


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
