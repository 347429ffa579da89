"""PartColours and SkeletonPanel: what is drawn where, and in what colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from gap_mmaction.skeletons import get_skeleton, layouts
from gap_mmaction.visualization.skeleton_clip import SkeletonClip, View
from gap_mmaction.visualization.skeleton_panel import (
    NO_PART,
    OTHERS,
    USUAL_PARTS,
    PartColours,
    SkeletonPanel,
)
from tests.visualization.clips import OWN_LAYOUT, make_clip


@pytest.mark.parametrize("layout", layouts())
def test_every_joint_has_the_colour_of_a_part_that_it_is_in(layout: str) -> None:
    skeleton = get_skeleton(layout)
    colours = PartColours.of(skeleton)
    assert tuple(colours.parts) == USUAL_PARTS
    assert len(set(colours.parts.values())) == len(USUAL_PARTS)
    for joint, colour in enumerate(colours.joints):
        own = [c for p, c in colours.parts.items() if joint in skeleton.part(p)]
        assert colour in own, joint
    assert [bone[:2] for bone in colours.bones] == list(skeleton.edges)
    assert all(colours.joints[child] == c for child, _, c in colours.bones)


def test_smaller_parts_are_over_larger_ones() -> None:
    """Joint 12, a hip, is in the leg as well; joint 1 is in none of these."""
    skeleton = get_skeleton("nw-ucla")
    for parts in (["leg-foot", "hip"], ["hip", "leg-foot", "global"]):
        colours = PartColours.of(skeleton, parts)
        assert "global" not in colours.parts
        assert colours.joints[12] == colours.parts["hip"]
        assert colours.joints[13] == colours.parts["leg-foot"]
        assert colours.joints[3] == NO_PART


def test_own_layout() -> None:
    skeleton = get_skeleton(OWN_LAYOUT)
    colours = PartColours.of(skeleton)
    assert list(colours.parts) == ["tip"]
    assert colours.joints == (NO_PART, colours.parts["tip"])
    with pytest.raises(ValueError, match="has no part 'head'"):
        PartColours.of(skeleton, ["head"])


def make_panel(clip: SkeletonClip, follow: bool = False) -> SkeletonPanel:
    axes = Figure().add_subplot()
    colours = PartColours.of(clip.skeleton)
    return SkeletonPanel(axes, clip, View.of(clip), colours, follow=follow)


def test_joints_and_bones_have_the_colours_of_their_parts() -> None:
    clip = make_clip()
    panel, colours = make_panel(clip), PartColours.of(clip.skeleton)
    for frame in (0, 3):
        panel.show(frame)
        points = View.of(clip).project(clip.keypoint[0, frame])
        places = np.asarray(panel.joints.get_offsets())
        found = np.asarray(panel.joints.get_facecolor())
        assert len(places) == len(found) == 20
        for point, colour in zip(points, colours.joints):
            (row,) = np.flatnonzero((places == point).all(axis=1))
            assert to_hex(tuple(found[row])) == colour
        lines = np.array(panel.bones.get_segments())
        found = np.asarray(panel.bones.get_color())
        assert len(lines) == len(clip.skeleton.edges)
        for a, b, colour in colours.bones:
            (row,) = np.flatnonzero((lines == points[[a, b]]).all(axis=(1, 2)))
            assert to_hex(tuple(found[row])) == colour


def test_nearer_ones_are_drawn_later() -> None:
    clip = make_clip()
    panel = make_panel(clip)
    panel.show(0)
    view, frame = View.of(clip), clip.keypoint[0, 0]
    order = view.project(frame)[view.depth(frame).argsort(kind="stable")]
    np.testing.assert_array_equal(panel.joints.get_offsets(), order)


@pytest.mark.parametrize("follow", [False, True])
def test_axes_are_equal_and_hold_every_frame(follow: bool) -> None:
    clip = make_clip()
    moved = clip.keypoint + 7 * np.arange(5)[None, :, None, None]
    clip = replace(clip, keypoint=moved)
    panel = make_panel(clip, follow)
    axes = panel.joints.axes
    assert axes is not None and axes.get_aspect() == 1
    points = View.of(clip).project(moved)[0]
    limits = []
    for frame in range(5):
        panel.show(frame)
        limits.append((*axes.get_xlim(), *axes.get_ylim()))
        low, high = limits[-1][::2], limits[-1][1::2]
        assert (points[frame] > low).all() and (points[frame] < high).all()
    left, right, *_ = np.transpose(limits)
    np.testing.assert_allclose(right - left, right[0] - left[0])
    span = np.ptp(points[..., 0])
    assert len(set(left)) == (5 if follow else 1)
    assert right[0] - left[0] < span / 2 if follow else right[0] - left[0] > span


def test_second_person_and_missing_joints() -> None:
    clip = make_clip()
    clip = replace(
        clip,
        keypoint=np.concatenate([clip.keypoint, clip.keypoint + 1]),
        visible=np.repeat(clip.visible, 2, axis=0),
    )
    clip.visible[1, 0, 3] = False  # the head: one joint and one bone less
    panel = make_panel(clip)
    panel.show(0)
    assert len(panel.bones.get_segments()) == 2 * 19 - 1
    opaque = np.asarray(panel.joints.get_facecolor())[:, 3]
    assert (opaque == OTHERS).sum() == 19 and (opaque == 1).sum() == 20
    clip.visible[:, 1] = False
    panel.show(1)
    assert len(np.asarray(panel.joints.get_offsets())) == 0
    assert len(panel.bones.get_segments()) == 0
