"""Clips for the tests: a body that stands, in each layout."""

from __future__ import annotations

import numpy as np

from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.visualization.skeleton_clip import SkeletonClip

OWN_LAYOUT = dict(
    joints=["root", "tip"], inward=[(1, 0)], center=0, parts={"tip": ["tip"]}
)


def standing(
    layout: str = "nw-ucla", up: int = 1, sign: int = 1, frames: int = 5
) -> np.ndarray:
    """Make ``[1, T, V, C]``: head above hips above feet, left at smaller x."""
    skeleton = get_skeleton(layout)
    rng = np.random.default_rng(0)
    shape = (1, frames, skeleton.num_joints, skeleton.num_coordinates)
    keypoint = rng.normal(0, 0.05, shape)
    heights = {"foot": -0.9, "hip": 0.0, "hand": -0.2, "head": 0.7}
    for part, height in heights.items():
        keypoint[:, :, list(skeleton.part(part)), up] += sign * height
    return keypoint + 2.0


def make_clip(layout: str = "nw-ucla", frames: int = 5) -> SkeletonClip:
    skeleton = get_skeleton(layout)
    flat = skeleton.num_coordinates == 2
    keypoint = standing(layout, sign=-1 if flat else 1, frames=frames)
    annotation = {"frame_dir": "a$b", "label": 2, "keypoint": keypoint}
    return SkeletonClip.from_annotation(annotation, skeleton)
