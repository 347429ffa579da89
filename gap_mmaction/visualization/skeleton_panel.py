"""SkeletonPanel: a clip in a matplotlib panel, in the colours of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba_array

from gap_mmaction.skeletons import GLOBAL_PART, Skeleton

from .skeleton_clip import SkeletonClip, View

# Okabe and Ito's palette, which most colour-blind people can tell apart.
PALETTE = (
    *("#0072b2", "#d55e00", "#cc79a7", "#009e73"),
    *("#e69f00", "#56b4e9", "#8c6d31", "#6a51a3"),
)
NO_PART = "#8a8a8a"
"""Colour of joints in no part, and of the part that is the whole body."""

USUAL_PARTS = ("head", "hand-arm", "hip", "leg-foot")
"""The paper's four parts."""

FLOOR = "#dddddd"
FIRST, OTHERS = 1.0, 0.45
"""How opaque the first person is, and the others."""

_MARGIN = 0.06


@dataclass(frozen=True)
class PartColours:
    """Colours of a layout by part."""

    parts: dict[str, str]  # in the order of a legend
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int, str], ...]  # joint, other joint, colour of each edge

    @classmethod
    def of(cls, skeleton: Skeleton, parts: Sequence[str] | None = None) -> PartColours:
        """Colours parts of a layout, by default the paper's four, or all without these.

        Parts overlap: a joint has the colour of the smallest part that it is in, and a
        bone that of its outer end.
        """
        if parts is None:
            has_usual = all(part in skeleton.parts for part in USUAL_PARTS)
            parts = USUAL_PARTS if has_usual else tuple(skeleton.parts)
        chosen = [part for part in dict.fromkeys(parts) if part != GLOBAL_PART]
        colours = {part: PALETTE[i % len(PALETTE)] for i, part in enumerate(chosen)}
        joints = [NO_PART] * skeleton.num_joints
        for part in sorted(chosen, key=lambda name: -len(skeleton.part(name))):
            for joint in skeleton.part(part):
                joints[joint] = colours[part]
        bones = tuple((a, b, joints[a]) for a, b in skeleton.edges)
        return cls(colours, tuple(joints), bones)


class SkeletonPanel:
    """Draws one frame after the other into the same panel.

    All frames have the same scale, and a unit is as long upwards as sideways.

    The panel moves along with the bodies if it follows them. Otherwise it shows every
    place that they come to.
    """

    def __init__(
        self,
        axes: Axes,
        clip: SkeletonClip,
        view: View,
        colours: PartColours,
        scale: float = 1.0,
        follow: bool = False,
    ) -> None:
        self.clip = clip
        self._axes = axes
        self._points = view.project(clip.keypoint)
        self._depth = view.depth(clip.keypoint)
        self._ends = np.array([bone[:2] for bone in colours.bones]).reshape(-1, 2)
        self._bone_colours = to_rgba_array([colour for *_, colour in colours.bones])
        self._joint_colours = to_rgba_array(colours.joints)
        floor = view.floor(clip)
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.add_collection(
            LineCollection(list(floor), colors=FLOOR, linewidths=0.7 * scale, zorder=0)
        )
        self.bones = LineCollection([], linewidths=2.6 * scale, capstyle="round")
        self.joints: PathCollection = axes.scatter(
            *([], []), s=13 * scale**2, edgecolors="white", linewidths=0.5 * scale
        )
        self.bones.set_zorder(1)
        self.joints.set_zorder(2)
        axes.add_collection(self.bones)
        self._window = window_of(clip, view) if follow else None
        shown = np.concatenate([self._points[clip.visible], floor.reshape(-1, 2)])
        self._show_box(shown.min(axis=0), shown.max(axis=0))

    def show(self, frame: int) -> None:
        """Draws a frame, what is nearer over what is further."""
        visible = self.clip.visible[:, frame]
        points, depth = self._points[:, frame], self._depth[:, frame]
        persons, edges = np.nonzero(visible[:, self._ends].all(axis=-1))
        ends = persons[:, None], self._ends[edges]
        order = depth[ends].mean(axis=1).argsort(kind="stable")
        self.bones.set_segments(list(points[ends][order]))
        self.bones.set_color(_paled(self._bone_colours[edges], persons)[order])
        persons, joints = np.nonzero(visible)
        order = depth[visible].argsort(kind="stable")
        self.joints.set_offsets(points[visible][order])
        self.joints.set_facecolor(_paled(self._joint_colours[joints], persons)[order])
        if self._window is not None and len(joints):
            low, high = points[visible].min(axis=0), points[visible].max(axis=0)
            middle = (low + high) / 2
            self._show_box(middle - self._window / 2, middle + self._window / 2)

    def _show_box(self, low: np.ndarray, high: np.ndarray) -> None:
        margin = _MARGIN * max(*(high - low), 1e-6)
        self._axes.set_xlim(low[0] - margin, high[0] + margin)
        self._axes.set_ylim(low[1] - margin, high[1] + margin)


def window_of(clip: SkeletonClip, view: View) -> np.ndarray:
    """Returns width and height ``[2]`` that the bodies of any one frame fit in."""
    points = view.project(clip.keypoint)
    spans = [
        np.ptp(points[:, frame][clip.visible[:, frame]], axis=0)
        for frame in range(clip.num_frames)
        if clip.visible[:, frame].any()
    ]
    return np.max(spans, axis=0)


def _paled(colours: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """Makes all but the first person paler; ``[n, 4]`` and ``[n]``."""
    alpha = np.where(persons == 0, FIRST, OTHERS)
    return np.concatenate([colours[:, :3], alpha[:, None]], axis=1)
