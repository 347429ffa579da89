"""Move a sequence to the origin."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from gap_mmaction.datasets.transforms.presence import find_presence
from gap_mmaction.skeletons import get_skeleton


def center(keypoint: np.ndarray, joint: int) -> np.ndarray:
    """Subtract one joint of the first person's first frame from everything.

    The first person is the first one who is there in any frame, be it later than
    another one: actor 1 of NTU RGB+D, whose first frame is the origin also where actor
    2 comes earlier. What was centred already is left as it is.

    Args:
        keypoint: ``[M, T, V, C]``; persons at zero in all joints are not there.
        joint: 0-based index of the joint.

    Returns:
        float64, same shape, in the same unit; absent persons stay at zero.
    """
    present = find_presence(keypoint)
    person = int(present.any(axis=1).argmax())
    frame = int(present[person].argmax())
    moved = keypoint.astype(np.float64)
    moved -= moved[person, frame, joint].copy()
    return np.where(present[..., None, None], moved, 0.0)


@TRANSFORMS.register_module()
class CenterSkeleton(BaseTransform):
    """Subtract one joint of person 0 in their first frame from the whole sequence.

    As in CTR-GCN's NW-UCLA feeder and its scripts for NTU RGB+D, which take joint 1,
    the spine. Persons stay at zero in frames in which they are not there. Unlike stock
    ``PreNormalize3D`` it neither turns the body nor drops frames.

    Required and modified key: ``keypoint`` ``[M, T, V, C]``, becomes float64.

    Args:
        joint: 0-based index of the joint, or, with ``layout``, its name.
            Defaults to 1.
        layout: Joint layout, a name or a dict of ``skeletons.py``. Defaults to None.

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
        """Centre ``results['keypoint']``.

        Args:
            results: The sample.

        Returns:
            The sample.
        """
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
