"""SkeletonClip: a sequence, as it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gap_mmaction.skeletons import Skeleton

MIN_SCORE = 0.1
"""A joint of a 2D pose that the estimator is less sure of is not drawn."""


@dataclass(frozen=True)
class SkeletonClip:
    """A sequence of skeletons.

    Attributes:
        name: Its name.
        skeleton: Its joint layout.
        keypoint: ``[M, T, V, C]``, C 2 (pixels, y down) or 3; persons that are in no
            frame are left out.
        visible: ``[M, T, V]``, whether there is something to draw.
        label: Its class, or None where that is not known.
    """

    name: str
    skeleton: Skeleton
    keypoint: np.ndarray
    visible: np.ndarray
    label: int | None = None

    @classmethod
    def from_annotation(
        cls, annotation: Mapping[str, Any], skeleton: Skeleton
    ) -> SkeletonClip:
        """Make one of a checked annotation.

        Args:
            annotation: ``keypoint`` ``[M, T, V, C]``, finite; perhaps
                ``keypoint_score`` ``[M, T, V]``, ``frame_dir`` and ``label``. A person
                whose coordinates are all zero in a frame is not there in it.
            skeleton: The layout of the joints.

        Raises:
            ValueError: If nobody is there in any frame.
        """
        name = str(annotation.get("frame_dir", ""))
        keypoint = np.asarray(annotation["keypoint"], np.float64)
        keypoint = keypoint[..., : skeleton.num_coordinates]
        # Files written for GCNs hold zeros where a person is missing.
        there = np.any(keypoint, axis=(2, 3), keepdims=True)[..., 0]
        visible = np.repeat(there, keypoint.shape[2], axis=2)
        score = annotation.get("keypoint_score")
        if score is not None:
            visible &= np.asarray(score) >= MIN_SCORE
        seen = visible.any(axis=(1, 2))
        if not seen.any():
            raise ValueError(f"{name}: nobody is there to be drawn in any frame")
        label = annotation.get("label")
        return cls(
            name,
            skeleton,
            keypoint[seen],
            visible[seen],
            None if label is None or int(label) < 0 else int(label),
        )

    @property
    def num_frames(self) -> int:
        """The number of frames T."""
        return int(self.keypoint.shape[1])

    @property
    def is_flat(self) -> bool:
        """Whether the joints are places in a picture."""
        return self.skeleton.num_coordinates == 2
