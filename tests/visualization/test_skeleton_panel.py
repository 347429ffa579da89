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
    skeleton = get_skeleton("nw-ucla")
    for parts in (["leg-foot", "hip"], ["hip", "leg-foot", "global"]):
        colours = PartColours.of(skeleton, parts)
        assert "global" not in colours.parts
        assert colours.joints[12] == colours.parts["hip"]
        assert colours.joints[13] == colours.parts["leg-foot"]
        assert colours.joints[3] == NO_PART
    own = PartColours.of(get_skeleton(OWN_LAYOUT))
    assert own.joints == (NO_PART, own.parts["tip"])
    with pytest.raises(ValueError, match="has no part 'tail'"):
        PartColours.of(skeleton, ["tail"])


def make_panel(clip: SkeletonClip, follow: bool = False) -> SkeletonPanel:
    axes = Figure().add_subplot()
    colours = PartColours.of(clip.skeleton)
    return SkeletonPanel(axes, clip, View.of(clip), colours, follow=follow)


def test_joints_and_bones_have_the_colours_of_their_parts() -> None:
    clip = make_clip()
    view, panel = View.of(clip), make_panel(clip)
    colours = PartColours.of(clip.skeleton)
    for frame in (0, 3):
        panel.show(frame)
        points = view.project(clip.keypoint[0, frame])
        places = np.asarray(panel.joints.get_offsets())
        found = np.asarray(panel.joints.get_facecolor())
        assert len(places) == len(found) == 20
        # Nearer ones are drawn later.
        order = view.depth(clip.keypoint[0, frame]).argsort(kind="stable")
        np.testing.assert_array_equal(places, points[order])
        assert [to_hex(tuple(c)) for c in found] == [colours.joints[i] for i in order]
        lines = np.array(panel.bones.get_segments())
        found = np.asarray(panel.bones.get_color())
        assert len(lines) == len(clip.skeleton.edges)
        for a, b, colour in colours.bones:
            (row,) = np.flatnonzero((lines == points[[a, b]]).all(axis=(1, 2)))
            assert to_hex(tuple(found[row])) == colour


@pytest.mark.parametrize("follow", [False, True])
def test_axes_are_equal_and_hold_every_frame(follow: bool) -> None:
    clip = make_clip()
    moved = clip.keypoint + 7 * np.arange(5)[None, :, None, None]
    clip = replace(clip, keypoint=moved)
    panel = make_panel(clip, follow)
    axes = panel.joints.axes
    assert axes is not None and axes.get_aspect() == 1
    limits = []
    for frame, points in enumerate(View.of(clip).project(moved)[0]):
        panel.show(frame)
        low, high = np.transpose([axes.get_xlim(), axes.get_ylim()])
        assert (points > low).all() and (points < high).all()
        limits.append((low[0], high[0]))
    left, right = np.transpose(limits)
    np.testing.assert_allclose(right - left, right[0] - left[0])
    assert len(set(left)) == (5 if follow else 1)


def test_second_person_and_missing_joints() -> None:
    clip = make_clip()
    both = np.concatenate([clip.keypoint, clip.keypoint + 1])
    clip = replace(clip, keypoint=both, visible=np.repeat(clip.visible, 2, axis=0))
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
