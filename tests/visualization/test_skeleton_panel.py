"""SkeletonPanel: what is drawn where, and in what colour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from gap_mmaction.visualization.part_colours import PartColours
from gap_mmaction.visualization.skeleton_clip import SkeletonClip
from gap_mmaction.visualization.skeleton_panel import OTHERS, SkeletonPanel, window_of
from gap_mmaction.visualization.view import View
from tests.visualization.clips import make_clip


def make_panel(clip: SkeletonClip, follow: bool = False) -> SkeletonPanel:
    axes = Figure().add_subplot()
    colours = PartColours.of(clip.skeleton)
    return SkeletonPanel(axes, clip, View.of(clip), colours, follow=follow)


def colours_of(panel: SkeletonPanel) -> Any:
    return panel.bones.get_color()


def test_joints_and_bones_have_the_colours_of_their_parts() -> None:
    clip = make_clip()
    panel = make_panel(clip)
    for frame in (0, 3):
        panel.show(frame)
        points = View.of(clip).project(clip.keypoint[0, frame])
        places = np.asarray(panel.joints.get_offsets())
        found = np.asarray(panel.joints.get_facecolor())
        assert len(places) == len(found) == 20
        for joint, point in enumerate(points):
            (row,) = np.flatnonzero((places == point).all(axis=1))
            assert to_hex(tuple(found[row])) == panel.colours.joints[joint]
        lines = np.array(panel.bones.get_segments())
        assert len(lines) == len(clip.skeleton.edges)
        for a, b, colour in panel.colours.bones:
            match = (lines == points[[a, b]]).all(axis=(1, 2))
            (row,) = np.flatnonzero(match)
            assert to_hex(colours_of(panel)[row]) == colour


def test_nearer_ones_are_drawn_later() -> None:
    clip = make_clip()
    panel = make_panel(clip)
    panel.show(0)
    view = View.of(clip)
    order = view.project(clip.keypoint[0, 0])[
        view.depth(clip.keypoint[0, 0]).argsort(kind="stable")
    ]
    np.testing.assert_array_equal(panel.joints.get_offsets(), order)


def test_axes_are_equal_and_hold_every_frame() -> None:
    clip = make_clip()
    panel = make_panel(clip)
    axes = panel.joints.axes
    assert axes is not None and axes.get_aspect() == 1
    points = View.of(clip).project(clip.keypoint)
    for axis, (low, high) in enumerate((axes.get_xlim(), axes.get_ylim())):
        assert low < points[..., axis].min() and points[..., axis].max() < high
    panel.show(4)
    before = axes.get_xlim()
    panel.show(0)
    assert axes.get_xlim() == before


def test_follow() -> None:
    clip = make_clip()
    moved = clip.keypoint + 7 * np.arange(5)[None, :, None, None]
    clip = replace(clip, keypoint=moved)
    panel = make_panel(clip, follow=True)
    axes = panel.joints.axes
    assert axes is not None
    widths = []
    for frame in range(5):
        panel.show(frame)
        points = View.of(clip).project(moved[0, frame])
        low, high = axes.get_xlim()
        assert low < points[:, 0].min() and points[:, 0].max() < high
        widths.append(high - low)
    np.testing.assert_allclose(widths, widths[0])
    assert widths[0] < 2 * max(window_of(clip, View.of(clip)))


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
    assert len(np.asarray(panel.joints.get_offsets())) == 39
    assert len(panel.bones.get_segments()) == 2 * 19 - 1
    opaque = np.asarray(panel.joints.get_facecolor())[:, 3]
    assert (opaque == OTHERS).sum() == 19 and (opaque == 1).sum() == 20
    clip.visible[:, 1] = False
    panel.show(1)
    assert len(np.asarray(panel.joints.get_offsets())) == 0
    assert not len(panel.bones.get_segments())
    assert isinstance(panel.bones, LineCollection)
