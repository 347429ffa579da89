"""View: heads are on top, nothing is mirrored, lengths are equal."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.visualization.skeleton_clip import SkeletonClip
from gap_mmaction.visualization.view import UP_AXES, View, find_up
from tests.visualization.clips import make_clip, standing


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
    assert above > height[:, list(skeleton.part("foot"))].max()
    floor = view.floor(clip)
    assert len(floor) > 4
    assert np.isfinite(floor).all()


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


def test_picture() -> None:
    clip = make_clip("coco")
    view = View.of(clip)
    assert view.project(np.array([3.0, 5.0])).tolist() == [3, -5]
    assert len(view.floor(clip)) == 0
    assert not view.depth(clip.keypoint).any()


def test_no_such_axis() -> None:
    with pytest.raises(ValueError, match="up='w'"):
        View.of(make_clip(), up="w")


def test_layout_without_heads_is_taken_for_a_kinects() -> None:
    skeleton = get_skeleton(
        dict(joints=["root", "tip"], inward=[(1, 0)], center=0, parts={"tip": ["tip"]})
    )
    keypoint = np.ones((1, 2, 2, 3))
    clip = SkeletonClip.from_annotation({"keypoint": keypoint}, skeleton)
    assert find_up(clip) == "y"
