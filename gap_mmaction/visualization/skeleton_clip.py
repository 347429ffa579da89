"""SkeletonClip: a sequence as it is drawn, and View: from where it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gap_mmaction.skeletons import Skeleton

MIN_SCORE = 0.1
"""A joint of a 2D pose that the estimator is less sure of is not drawn."""

UP_AXES = ("x", "y", "z", "-x", "-y", "-z")
AZIMUTH, ELEVATION = 20.0, 10.0
"""Degrees; a body seen straight on looks flat."""

_ABOVE = ("head", "upper")
_BELOW = ("foot", "leg-foot", "lower", "leg", "hip")


@dataclass(frozen=True)
class SkeletonClip:
    """A sequence of skeletons, without persons that are in no frame."""

    name: str
    skeleton: Skeleton
    keypoint: np.ndarray  # [M, T, V, C], C 2 (pixels, y down) or 3
    visible: np.ndarray  # [M, T, V], whether there is something to draw
    label: int | None = None  # None where it is not known

    @classmethod
    def from_annotation(
        cls, annotation: Mapping[str, Any], skeleton: Skeleton
    ) -> SkeletonClip:
        """Makes one of a checked annotation.

        It has ``keypoint`` ``[M, T, V, C]``, finite, and perhaps ``keypoint_score``
        ``[M, T, V]``, ``frame_dir`` and ``label``. A ValueError is raised if nobody is
        there in any frame.
        """
        name = str(annotation.get("frame_dir", ""))
        keypoint = np.asarray(annotation["keypoint"], np.float64)
        keypoint = keypoint[..., : skeleton.num_coordinates]
        # Files written for GCNs hold zeros in the frames that a person is missing in.
        there = np.any(keypoint, axis=(2, 3))[..., None]
        visible = np.repeat(there, keypoint.shape[2], axis=2)
        score = annotation.get("keypoint_score")
        if score is not None:
            visible &= np.asarray(score) >= MIN_SCORE
        seen = visible.any(axis=(1, 2))
        if not seen.any():
            raise ValueError(f"{name}: nobody is there to be drawn in any frame")
        label = int(-1 if annotation.get("label") is None else annotation["label"])
        known = label if label >= 0 else None
        return cls(name, skeleton, keypoint[seen], visible[seen], known)

    @property
    def num_frames(self) -> int:
        """The number of frames T."""
        return int(self.keypoint.shape[1])

    @property
    def is_flat(self) -> bool:
        """Whether the joints are places in a picture."""
        return self.skeleton.num_coordinates == 2


@dataclass(frozen=True)
class View:
    """A parallel projection, which keeps lengths equal in all directions."""

    # [2 or 3, C]: rows to the right, upwards and, in 3D, towards the viewer, of norm 1.
    matrix: np.ndarray
    up: str  # the axis that points upwards, one of UP_AXES

    @classmethod
    def of(
        cls,
        clip: SkeletonClip,
        up: str | None = None,
        azimuth: float = AZIMUTH,
        elevation: float = ELEVATION,
    ) -> View:
        """Chooses a view of a clip.

        With y upwards it is that of the Kinect, which has x to its left and z away from
        it; with z upwards, as after ``PreNormalize3D``, it is from the front. Neither
        mirrors the body. Pictures (2D) are shown as they are.

        Args:
            clip: The clip.
            up: The axis that points upwards; by default that of :func:`find_up`.
            azimuth: How far the viewer goes to the right from there, in degrees.
            elevation: How far up, in degrees.
        """
        if clip.is_flat:
            return cls(np.array([[1.0, 0.0], [0.0, -1.0]]), "-y")
        name = find_up(clip) if up is None else up
        if name not in UP_AXES:
            raise ValueError(f"up={name!r}: no axis, use one of {', '.join(UP_AXES)}")
        upwards = _axis(name)
        right = _axis({"x": "y", "-x": "-y"}.get(name, "x" if name[0] == "-" else "-x"))
        near = np.cross(right, upwards)
        turn, lift = np.deg2rad(azimuth), np.deg2rad(elevation)
        right, near = (
            np.cos(turn) * right - np.sin(turn) * near,
            np.cos(turn) * near + np.sin(turn) * right,
        )
        upwards, near = (
            np.cos(lift) * upwards - np.sin(lift) * near,
            np.cos(lift) * near + np.sin(lift) * upwards,
        )
        return cls(np.array([right, upwards, near]), name)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Returns the places ``[..., 2]`` of points ``[..., C]``, y upwards."""
        return points @ self.matrix[:2].T

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Returns how near points ``[..., C]`` are to the viewer, ``[...]``."""
        if len(self.matrix) == 2:
            return np.zeros(points.shape[:-1])
        return points @ self.matrix[2]

    def floor(self, clip: SkeletonClip) -> np.ndarray:
        """Returns a grid under the feet: lines ``[n, 2, 2]``, projected; none in 2D."""
        if clip.is_flat:
            return np.zeros((0, 2, 2))
        points, upwards = clip.keypoint[clip.visible], _axis(self.up)
        height = points @ upwards
        # Low joints that are far off are errors of the sensor.
        ground = np.quantile(height, 0.01) * upwards
        cell = max(np.ptp(height), 1e-6) / 4
        flat = np.flatnonzero(upwards == 0)
        low, high = np.quantile(points[:, flat], (0.02, 0.98), axis=0)
        counts = np.minimum(np.ceil((high - low) / cell) + 1, 24)
        start = (low + high) / 2 - counts * cell / 2
        x, y = (s + cell * np.arange(n + 1) for s, n in zip(start, counts))
        ends = [((x[0], at), (x[-1], at)) for at in y]
        ends += [((at, y[0]), (at, y[-1])) for at in x]
        lines = np.full((len(ends), 2, 3), ground)
        lines[..., flat] = ends
        return self.project(lines)


def find_up(clip: SkeletonClip) -> str:
    """Finds the axis along which heads are most above feet, one of :data:`UP_AXES`.

    It is ``y``, a Kinect's, where the layout does not tell heads from feet.
    """
    parts = clip.skeleton.parts
    above, below = (
        next((list(clip.skeleton.part(name)) for name in names if name in parts), None)
        for names in (_ABOVE, _BELOW)
    )
    if above is None or below is None:
        return "y"
    bodies = clip.keypoint[clip.visible.any(axis=2)]
    upwards = np.median(bodies[:, above].mean(1) - bodies[:, below].mean(1), axis=0)
    if not upwards.any():
        return "y"
    axis = int(np.abs(upwards).argmax())
    return ("-" if upwards[axis] < 0 else "") + "xyz"[axis]


def _axis(name: str) -> np.ndarray:
    return np.eye(3)["xyz".index(name[-1])] * (-1 if name[0] == "-" else 1)
