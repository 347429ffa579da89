"""SkeletonClip: who is there. View: heads on top, nothing mirrored, equal lengths."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.visualization.skeleton_clip import (
    UP_AXES,
    SkeletonClip,
    View,
    find_up,
)
from tests.visualization.clips import OWN_LAYOUT, make_clip, standing


def test_absent_persons_and_frames() -> None:
    keypoint = np.repeat(standing(), 3, axis=0)
    keypoint[1] = 0
    keypoint[2, :3] = 0
    annotation = {"frame_dir": "a", "label": -1, "keypoint": keypoint}
    clip = SkeletonClip.from_annotation(annotation, get_skeleton("nw-ucla"))
    assert clip.keypoint.shape == (2, 5, 20, 3)
    assert clip.visible.all(axis=2).tolist() == [[True] * 5, [False] * 3 + [True] * 2]
    assert clip.label is None
    with pytest.raises(ValueError, match="a: nobody is there"):
        SkeletonClip.from_annotation(
            {**annotation, "keypoint": 0 * keypoint}, clip.skeleton
        )


def test_uncertain_joints() -> None:
    keypoint = standing("coco")
    score = np.ones(keypoint.shape[:3])
    score[0, 1, 4] = 0.01
    annotation = {"keypoint": keypoint, "keypoint_score": score, "label": 3}
    clip = SkeletonClip.from_annotation(annotation, get_skeleton("coco"))
    assert np.argwhere(~clip.visible).tolist() == [[0, 1, 4]]
    assert clip.is_flat and clip.label == 3
    view = View.of(clip)
    assert view.project(np.array([3.0, 5.0])).tolist() == [3, -5]
    assert len(view.floor(clip)) == 0 and not view.depth(clip.keypoint).any()
    # A layout without heads is taken for a Kinect's.
    annotation = {"keypoint": np.ones((1, 2, 2, 3))}
    own = SkeletonClip.from_annotation(annotation, get_skeleton(OWN_LAYOUT))
    assert find_up(own) == "y"


@pytest.mark.parametrize("layout", ["nw-ucla", "nturgb+d"])
@pytest.mark.parametrize("up", UP_AXES)
def test_up(layout: str, up: str) -> None:
    axis, sign = "xyz".index(up[-1]), -1 if up[0] == "-" else 1
    skeleton = get_skeleton(layout)
    keypoint = standing(layout, axis, sign)
    clip = SkeletonClip.from_annotation({"keypoint": keypoint}, skeleton)
    assert find_up(clip) == up
    view = View.of(clip)
    # Rows of a right-handed, orthonormal frame: a rotation, no mirror, no stretching.
    np.testing.assert_allclose(view.matrix @ view.matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(view.matrix) == pytest.approx(1)
    height = view.project(clip.keypoint)[0, :, :, 1]
    above = height[:, list(skeleton.part("head"))].min()
    feet = height[:, list(skeleton.part("foot"))]
    assert above > feet.max()
    floor = view.floor(clip)
    assert len(floor) > 4 and np.isfinite(floor).all()
    assert floor[..., 1].mean() == pytest.approx(feet.mean(), abs=0.3)


def test_kinect() -> None:
    """Seen from the sensor, which has x to its left and z away from it."""
    view = View.of(make_clip(), azimuth=0, elevation=0)
    np.testing.assert_allclose(
        view.project(np.eye(3)), [[-1, 0], [0, 1], [0, 0]], atol=1e-12
    )
    assert view.depth(np.array([0, 0, 1.0])) == -1
    # To the right and up from there: near things move to the left and down.
    turned = View.of(make_clip(), azimuth=30, elevation=30)
    near = turned.project(np.array([0, 0, -1.0]))
    assert near[0] < 0 and near[1] < 0
