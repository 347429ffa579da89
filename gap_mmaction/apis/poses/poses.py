"""Poses: what a pose estimator has found in the frames of a recording."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gap_mmaction.skeletons import Layout, get_skeleton
from gap_mmaction.skeletons.conversion import convert_joints

from ..tracks import Tracker, join_tracks

# A joint table [V, C + 1] and a track's number, -1 where it is not told.
Person = tuple[np.ndarray, int]

_MOST_FRAMES = 1_000_000  # nine hours of video; a number beyond is no frame's
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class Poses:
    """What a pose estimator has found in the frames of a recording.

    Attributes:
        layout: The joints, a name or a dict as for ``get_skeleton``.
        frames: For each frame ``[M, V, C + 1]``, M persons: coordinates, in pixels or
            in metres in the axes of ``gap_mmaction.skeletons.conversion``, then the
            confidence. A joint that was not found has confidence 0. M may be 0.
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
        if self.times is not None:
            if self.times.shape != (len(self.frames),):
                raise ValueError(
                    f"times have shape {list(self.times.shape)} for "
                    f"{len(self.frames)} frames; give one for each"
                )
            wrong = np.flatnonzero(~(np.diff(self.times, prepend=-np.inf) > 0))
            if wrong.size:
                raise ValueError(
                    f"frame {wrong[0]} is at {self.times[wrong[0]]} s, which is not "
                    "after the frame before it; put the frames in order"
                )
        if self.ids is not None:
            numbers = [len(frame) for frame in self.frames]
            if [len(tracks) for tracks in self.ids] != numbers:
                raise ValueError("ids are not one for each person of each frame")

    def to(self, layout: Layout) -> Poses:
        """Returns them in another layout, by :func:`.convert_joints`."""
        frames = []
        for frame in self.frames:
            points, scores = convert_joints(
                frame[..., :-1], frame[..., -1], self.layout, layout
            )
            assert scores is not None
            frames.append(np.concatenate([points, scores[..., None]], axis=-1))
        return replace(self, layout=layout, frames=frames)

    def annotation(self, name: str) -> dict[str, Any]:
        """Returns an annotation, each person a track; ``times`` are in it if told."""
        tracker = Tracker()
        numbers = self.ids
        if numbers is None or any((tracks < 0).any() for tracks in numbers):
            numbers = [tracker.update(frame) for frame in self.frames]
        joined = join_tracks(self.frames, numbers)
        if not len(joined):
            raise ValueError(f"{name}: nobody is in any of {len(self.frames)} frames")
        annotation: dict[str, Any] = {"frame_dir": name, "keypoint": joined[..., :-1]}
        annotation["keypoint_score"] = joined[..., -1]
        told = {"times": self.times, "img_shape": self.img_shape}
        return annotation | {k: v for k, v in told.items() if v is not None}


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


def get(item: Any, key: str) -> Any:
    """Returns an attribute of an object or a value of a dict, None without one."""
    return item.get(key) if isinstance(item, Mapping) else getattr(item, key, None)


def numbers_of(names: Iterable[str], where: str) -> dict[str, int]:
    """Returns the frame number at the end of each name: ``video_12_keypoints.json``.

    Raises:
        ValueError: If a name has none, or they are of more than one recording.
    """
    found = {n: re.match(r"(.*?)(\d{1,18})(_keypoints)?$", Path(n).stem) for n in names}
    for name, match in found.items():
        if match is None:
            raise ValueError(
                f"{where}: {name!r} has no frame number at its end; name it NAME_NUMBER"
            )
    starts = sorted({match[1] for match in found.values() if match})
    numbers = {name: int(match[2]) for name, match in found.items() if match}
    if len(starts) > 1 or len(set(numbers.values())) < len(numbers):
        raise ValueError(
            f"{where}: frames of several recordings, their names begin with {starts}; "
            "give one at a time"
        )
    return numbers


def span(numbers: Collection[int], first: int, where: str) -> range:
    """Returns every frame from the first to the last, if that is a recording's length.

    Estimators leave out frames in which nobody was found; their first is ``first``.
    """
    frames = range(min(first, *numbers), max(numbers) + 1) if numbers else range(0)
    if frames.stop - frames.start > _MOST_FRAMES:
        raise ValueError(
            f"{where}: frames up to {max(numbers)} are no recording, number them from "
            f"{first}"
        )
    return frames
