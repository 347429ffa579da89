"""View: from where a skeleton is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gap_mmaction.skeletons import Skeleton

from .skeleton_clip import SkeletonClip

UP_AXES = ("x", "y", "z", "-x", "-y", "-z")
AZIMUTH, ELEVATION = 20.0, 10.0
"""Degrees; a body seen straight on looks flat."""

_ABOVE = ("head", "upper")
_BELOW = ("foot", "leg-foot", "lower", "leg", "hip")


@dataclass(frozen=True)
class View:
    """A parallel projection, which keeps lengths equal in all directions.

    Attributes:
        matrix: ``[2 or 3, C]``: rows to the right, upwards and, in 3D, towards the
            viewer, of norm 1.
        up: The axis that points upwards, one of :data:`UP_AXES`.
    """

    matrix: np.ndarray
    up: str

    @classmethod
    def of(
        cls,
        clip: SkeletonClip,
        up: str | None = None,
        azimuth: float = AZIMUTH,
        elevation: float = ELEVATION,
    ) -> View:
        """Choose a view of a clip.

        With y upwards it is that of the Kinect, which has x to its left and z away from
        it; with z upwards, as after ``PreNormalize3D``, it is from the front. Neither
        mirrors the body. The viewer goes ``azimuth`` degrees to the right from there
        and ``elevation`` degrees up. Pictures (2D) are shown as they are.

        Args:
            clip: The clip.
            up: The axis that points upwards; by default that along which heads are
                most above feet.
            azimuth: In degrees.
            elevation: In degrees.

        Raises:
            ValueError: If there is no such axis.
        """
        if clip.is_flat:
            return cls(np.array([[1.0, 0.0], [0.0, -1.0]]), "-y")
        name = find_up(clip) if up is None else up
        if name not in UP_AXES:
            raise ValueError(f"up={name!r}: no axis, use one of {', '.join(UP_AXES)}")
        upwards = _axis(name)
        sideways = {"x": "y", "-x": "-y"}.get(name, "x" if name[0] == "-" else "-x")
        right = _axis(sideways)
        near = np.cross(right, upwards)
        turn, lift = np.deg2rad(azimuth), np.deg2rad(elevation)
        right, near = (
            np.cos(turn) * right - np.sin(turn) * near,
            np.cos(turn) * near + np.sin(turn) * right,
        )
        matrix = [
            right,
            np.cos(lift) * upwards - np.sin(lift) * near,
            np.cos(lift) * near + np.sin(lift) * upwards,
        ]
        return cls(np.array(matrix), name)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Give the places ``[..., 2]`` of points ``[..., C]``, y upwards."""
        return points @ self.matrix[:2].T

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Say how near points ``[..., C]`` are to the viewer, ``[...]``."""
        if len(self.matrix) == 2:
            return np.zeros(points.shape[:-1])
        return points @ self.matrix[2]

    def floor(self, clip: SkeletonClip) -> np.ndarray:
        """Draw a grid under the feet.

        Args:
            clip: The clip.

        Returns:
            Lines ``[n, 2, 2]``, of two ends each, projected; none in 2D.
        """
        if clip.is_flat:
            return np.zeros((0, 2, 2))
        points = clip.keypoint[clip.visible]
        upwards = _axis(self.up)
        height = points @ upwards
        flat = [i for i in range(3) if upwards[i] == 0]
        # Low joints that are far off are errors of the sensor.
        ground = np.quantile(height, 0.01)
        cell = max(np.ptp(height), 1e-6) / 4
        low, high = np.quantile(points[:, flat], (0.02, 0.98), axis=0)
        counts = np.minimum(np.ceil((high - low) / cell).astype(int) + 1, 24)
        start = (low + high) / 2 - counts * cell / 2
        lines = []
        for along, across in ((0, 1), (1, 0)):
            for i in range(counts[across] + 1):
                ends = np.zeros((2, 3))
                ends[:, flat[across]] = start[across] + i * cell
                ends[:, flat[along]] = (
                    start[along] + np.array([0, counts[along]]) * cell
                )
                lines.append(ends + ground * upwards)
        return self.project(np.array(lines))


def find_up(clip: SkeletonClip) -> str:
    """Find the axis along which heads are most above feet.

    Args:
        clip: A clip in 3D.

    Returns:
        One of :data:`UP_AXES`; ``y``, a Kinect's, where the layout does not tell heads
        from feet.
    """
    above, below = (_first_part(clip.skeleton, names) for names in (_ABOVE, _BELOW))
    there = clip.visible.any(axis=2)
    if above is None or below is None:
        return "y"
    bodies = clip.keypoint[there]
    upwards = np.median(bodies[:, above].mean(1) - bodies[:, below].mean(1), axis=0)
    if not upwards.any():
        return "y"
    axis = int(np.abs(upwards).argmax())
    return ("-" if upwards[axis] < 0 else "") + "xyz"[axis]


def _first_part(skeleton: Skeleton, names: tuple[str, ...]) -> list[int] | None:
    for name in names:
        if name in skeleton.parts:
            return list(skeleton.part(name))
    return None


def _axis(name: str) -> np.ndarray:
    return np.eye(3)["xyz".index(name[-1])] * (-1 if name[0] == "-" else 1)
