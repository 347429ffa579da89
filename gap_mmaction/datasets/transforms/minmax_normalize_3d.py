"""Scale a sequence into a cube."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from gap_mmaction.datasets.transforms.presence import find_presence


def minmax_normalize(keypoint: np.ndarray) -> np.ndarray:
    """Map each axis linearly to [-1, 1].

    Args:
        keypoint: ``[M, T, V, C]``; persons at zero in all joints are not there.

    Returns:
        float64, same shape, without unit. The extremes are those over all persons,
        frames and joints; an axis without extent, and absent persons, become zero.
    """
    present = find_presence(keypoint)
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

    Required and modified key: ``keypoint`` ``[M, T, V, C]``, becomes float64.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Scale ``results['keypoint']``.

        Args:
            results: The sample.

        Returns:
            The sample.
        """
        results["keypoint"] = minmax_normalize(results["keypoint"])
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
