"""SkeletonClip: who is there, and what of them is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.visualization.skeleton_clip import SkeletonClip
from tests.visualization.clips import standing


def test_absent_persons_and_frames() -> None:
    keypoint = np.repeat(standing(), 3, axis=0)
    keypoint[1] = 0
    keypoint[2, :3] = 0
    annotation = {"frame_dir": "a", "label": -1, "keypoint": keypoint}
    clip = SkeletonClip.from_annotation(annotation, get_skeleton("nw-ucla"))
    assert clip.keypoint.shape == (2, 5, 20, 3)
    assert clip.visible.all(axis=2).tolist() == [[True] * 5, [False] * 3 + [True] * 2]
    assert clip.label is None
    assert clip.num_frames == 5
    with pytest.raises(ValueError, match="a: nobody is there"):
        SkeletonClip.from_annotation(
            {"frame_dir": "a", "keypoint": 0 * keypoint}, clip.skeleton
        )


def test_uncertain_joints() -> None:
    keypoint = standing("coco")
    score = np.ones(keypoint.shape[:3])
    score[0, 1, 4] = 0.01
    annotation = {"keypoint": keypoint, "keypoint_score": score, "label": 3}
    clip = SkeletonClip.from_annotation(annotation, get_skeleton("coco"))
    assert np.argwhere(~clip.visible).tolist() == [[0, 1, 4]]
    assert clip.is_flat and clip.label == 3
