"""SkeletonPanel: a clip in a matplotlib panel, frame by frame."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba

from .part_colours import PartColours
from .skeleton_clip import SkeletonClip
from .view import View

FLOOR = "#dddddd"
FIRST, OTHERS = 1.0, 0.45
"""How opaque the first person is, and the others."""

_MARGIN = 0.06

_Colour = tuple[float, float, float, float]
# How near it is, where it is, and its colour.
_Item = tuple[float, np.ndarray, _Colour]


class SkeletonPanel:
    """Draws one frame after the other into the same panel.

    All frames have the same scale, and a unit is as long upwards as sideways.

    Args:
        axes: The panel, which is cleared of its own axes.
        clip: The clip.
        view: From where it is looked at.
        colours: Of the clip's layout.
        scale: Of lines and dots.
        follow: Whether the panel moves along with the bodies. Otherwise it shows every
            place that they come to.

    Attributes:
        bones: The lines.
        joints: The dots.
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
        self.colours = colours
        self._points = view.project(clip.keypoint)
        self._depth = view.depth(clip.keypoint)
        self._bone_colours = [to_rgba(colour) for *_, colour in colours.bones]
        self._joint_colours = [to_rgba(colour) for colour in colours.joints]
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

    @property
    def artists(self) -> tuple[Artist, ...]:
        """What differs from frame to frame, in the order of drawing."""
        return self.bones, self.joints

    def show(self, frame: int) -> None:
        """Draw a frame, what is nearer over what is further.

        Args:
            frame: Its index.
        """
        lines: list[_Item] = []
        dots: list[_Item] = []
        for person, points in enumerate(self._points[:, frame]):
            visible = self.clip.visible[person, frame]
            depth = self._depth[person, frame]
            opaque = FIRST if person == 0 else OTHERS
            for (a, b, _), colour in zip(self.colours.bones, self._bone_colours):
                if visible[a] and visible[b]:
                    near = float(depth[a] + depth[b]) / 2
                    lines.append((near, points[[a, b]], _with_alpha(colour, opaque)))
            for joint in np.flatnonzero(visible):
                colour = self._joint_colours[joint]
                dots.append(
                    (float(depth[joint]), points[joint], _with_alpha(colour, opaque))
                )
        lines.sort(key=_depth)
        dots.sort(key=_depth)
        self.bones.set_segments([line for _, line, _ in lines])
        self.bones.set_color([colour for *_, colour in lines])
        self.joints.set_offsets(np.array([dot for _, dot, _ in dots]).reshape(-1, 2))
        self.joints.set_facecolor([colour for *_, colour in dots])
        if self._window is not None and dots:
            places = self._points[:, frame][self.clip.visible[:, frame]]
            middle = (places.min(axis=0) + places.max(axis=0)) / 2
            self._show_box(middle - self._window / 2, middle + self._window / 2)

    def _show_box(self, low: np.ndarray, high: np.ndarray) -> None:
        margin = _MARGIN * max(*(high - low), 1e-6)
        self._axes.set_xlim(low[0] - margin, high[0] + margin)
        self._axes.set_ylim(low[1] - margin, high[1] + margin)


def window_of(clip: SkeletonClip, view: View) -> np.ndarray:
    """Give width and height that the bodies of any one frame fit in.

    Args:
        clip: The clip.
        view: From where it is looked at.

    Returns:
        ``[2]``.
    """
    points = view.project(clip.keypoint)
    spans = [
        np.ptp(points[:, frame][clip.visible[:, frame]], axis=0)
        for frame in range(clip.num_frames)
        if clip.visible[:, frame].any()
    ]
    return np.max(spans, axis=0)


def _depth(item: _Item) -> float:
    return item[0]


def _with_alpha(colour: _Colour, alpha: float) -> _Colour:
    return (*colour[:3], alpha)
