"""Poses: what a pose estimator has found in the frames of a recording."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gap_mmaction.skeletons import Layout, Skeleton, get_skeleton
from gap_mmaction.skeletons.conversion import convert_joints

from ..tracks import Tracker, join_tracks

# A joint table [V, C + 1] and a track's number, -1 where it is not told.
Person = tuple[np.ndarray, int]

_TRUNK = (0.2, 2.0)  # metres from the hips to the head, of children and giants
_MOST_FRAMES = 1_000_000  # nine hours of video; a number beyond is no frame's
_FAULTS = (AttributeError, csv.Error, LookupError, OverflowError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class Poses:
    """What a pose estimator has found in the frames of a recording.

    Attributes:
        layout: The joints, a name or a dict as for ``get_skeleton``.
        frames: For each frame ``[M, V, C + 1]``, M persons or none: coordinates, in
            pixels or in metres in the axes of ``gap_mmaction.skeletons.conversion``,
            then the confidence, 0 for a joint that was not found.
        times: Seconds of each frame ``[T]``, where they are told.
        ids: For each frame the tracks ``[M]``, -1 for a person without one, where they
            are told.
        img_shape: Height and width of the picture in pixels, where they are told.

    Raises:
        ValueError: If they do not fit each other, or the times do not rise.
    """

    layout: Layout
    frames: list[np.ndarray]
    times: np.ndarray | None = None
    ids: list[np.ndarray] | None = None
    img_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        skeleton = get_skeleton(self.layout)
        wanted = (skeleton.num_joints, skeleton.num_coordinates + 1)
        for index, frame in enumerate(self.frames):
            if frame.ndim != 3 or frame.shape[1:] != wanted:
                raise ValueError(
                    f"frame {index} has shape {list(frame.shape)}, layout "
                    f"{skeleton.name!r} has [M, {wanted[0]}, {wanted[1]}]: coordinates "
                    "and confidence"
                )
        if self.ids is not None and [*map(len, self.ids)] != [*map(len, self.frames)]:
            raise ValueError("ids are not one for each person of each frame")
        if self.times is None:
            return
        if len(self.times) != len(self.frames):
            raise ValueError(f"{len(self.times)} times for {len(self.frames)} frames")
        wrong = np.flatnonzero(~(np.diff(self.times, prepend=-np.inf) > 0))
        if wrong.size:
            raise ValueError(
                f"frame {wrong[0]} is at {self.times[wrong[0]]} s, which is not after "
                "the frame before it; put the frames in order"
            )

    def to(self, layout: Layout) -> Poses:
        """Returns them in another layout, by :func:`.convert_joints`."""
        if not self.frames:
            return replace(self, layout=layout)
        # All at once: the ways to the joints are found once.
        joints = convert_joints(np.concatenate(self.frames), self.layout, layout)
        ends = np.cumsum([*map(len, self.frames)])[:-1]
        return replace(self, layout=layout, frames=np.split(joints, ends))

    def annotation(self, name: str) -> dict[str, Any]:
        """Returns an annotation, each person a track; ``times`` are in it if told.

        ``is_estimated`` says that persons may be nobody, and joints not found.

        Raises:
            ValueError: If nobody is in any frame, or places in space are no metres.
        """
        numbers = self.ids
        if numbers is None or any((tracks < 0).any() for tracks in numbers):
            tracker = Tracker()
            numbers = [tracker.update(frame) for frame in self.frames]
        joined = join_tracks(self.frames, numbers)
        if not len(joined):
            raise ValueError(f"{name}: nobody is in any of {len(self.frames)} frames")
        _check_axes(get_skeleton(self.layout), joined, name)
        annotation: dict[str, Any] = {"frame_dir": name, "keypoint": joined[..., :-1]}
        annotation |= {"keypoint_score": joined[..., -1], "is_estimated": True}
        told = {"times": self.times, "img_shape": self.img_shape}
        return annotation | {k: v for k, v in told.items() if v is not None}


def _check_axes(skeleton: Skeleton, tracks: np.ndarray, name: str) -> None:
    """Checks by head and hips that places in space are in metres, with y upwards."""
    joints = skeleton.joint_names
    head = [joint for joint in ("head", "nose") if joint in joints][:1]
    hips = [joint for joint in ("left hip", "right hip") if joint in joints]
    if skeleton.num_coordinates != 3 or not head or not hips:
        return
    top, bottom = (tracks[..., [joints.index(j) for j in of], :] for of in (head, hips))
    found = (np.concatenate([top, bottom], axis=-2)[..., -1] > 0).all(axis=-1)
    if not found.any():
        return
    upwards = (top[..., :3].mean(axis=-2) - bottom[..., :3].mean(axis=-2))[found]
    length = float(np.median(np.linalg.norm(upwards, axis=-1)))
    if not _TRUNK[0] <= length <= _TRUNK[1]:
        raise ValueError(
            f"{name}: from the hips to the head it is {length:.3g}, in metres "
            f"{_TRUNK[0]} to {_TRUNK[1]}; divide millimetres by 1000"
        )
    if np.median(upwards[:, 1]) < -length / 2:
        warnings.warn(
            f"{name}: the head is below the hips; if y points down, turn x and y "
            "round, as a Kinect's x points to the left and y up",
            stacklevel=3,
        )


def make_poses(
    layout: Layout,
    frames: Iterable[Sequence[Person]],
    times: np.ndarray | None = None,
    img_shape: tuple[int, int] | None = None,
) -> Poses:
    """Stacks the persons of each frame; a joint that is not finite was not found."""
    skeleton = get_skeleton(layout)
    empty = np.zeros((0, skeleton.num_joints, skeleton.num_coordinates + 1))
    stacked, ids = [], []
    for persons in frames:
        joints = np.concatenate([empty, *(person[None] for person, _ in persons)])
        joints[~np.isfinite(joints).all(axis=-1)] = 0
        stacked.append(joints.astype(np.float32))
        ids.append(np.array([track for _, track in persons], dtype=np.int64))
    told = any((tracks >= 0).any() for tracks in ids)
    return Poses(layout, stacked, times, ids if told else None, img_shape)


@contextmanager
def expecting(what: str, where: str) -> Iterator[None]:
    """Turns what goes wrong in content of another form into a ``ValueError``."""
    try:
        yield
    except _FAULTS as error:
        raise ValueError(f"{where}: this is not {what} ({error!r})") from error


def fill_frames(
    found: Mapping[int, list[Person]], first: int, where: str
) -> list[list[Person]]:
    """Returns the persons of every frame; estimators leave out those with nobody."""
    numbers = range(min(first, *found), max(found) + 1)
    if len(numbers) > _MOST_FRAMES:
        raise ValueError(
            f"{where}: frames up to {max(found)} are no recording, number them from "
            f"{first}"
        )
    return [found.get(number, []) for number in numbers]
