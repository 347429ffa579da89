"""Results of MediaPipe Pose, of its solutions and of its tasks.

ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker/python: a landmark has x,
y, z and visibility; those of ``pose_world_landmarks`` are in metres, those of
``pose_landmarks`` in shares of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gap_mmaction.skeletons.conversion import joint_weights

from .poses import Poses, expecting, get, make_poses

_LANDMARKS = 33
_TO_KINECT = np.array([-1.0, -1.0, 1.0])


def read_mediapipe(
    results: Sequence[Any],
    name: str,
    world: bool = True,
    img_shape: tuple[int, int] | None = None,
) -> Poses:
    """Reads a result for each frame, objects or dicts with the same keys.

    Args:
        results: Of each frame ``pose_world_landmarks`` or ``pose_landmarks``: those of
            one person (solutions), also as ``MessageToDict`` writes them, or a list
            over persons (tasks).
        name: The recording's name, for messages.
        world: Whether to take the places in space: layout ``mediapipe``, in metres in
            the Kinects' axes, the origin between the hips. Otherwise those in the
            picture: layout ``coco``, in pixels.
        img_shape: Height and width of the picture, which the second needs.

    Raises:
        ValueError: If landmarks are missing or broken, or ``img_shape`` is needed.
    """
    key = "pose_world_landmarks" if world else "pose_landmarks"
    told = [bool(get(result, "pose_landmarks")) for result in results]
    if any(told) and not any(get(result, key) for result in results):
        raise ValueError(
            f"{name}: there are no {key!r}, only those of the picture; take them by "
            "flat=True and img_shape"
        )
    if not world and img_shape is None:
        raise ValueError(
            f"{name}: landmarks are in shares of the picture; give img_shape, its "
            "height and width"
        )
    size = None if world else img_shape
    frames = []
    for index, result in enumerate(results):
        found = get(result, key) or []
        found = [found] if get(found, "landmark") else found
        with expecting("a result of MediaPipe Pose", f"{name}: frame {index}"):
            persons = [_read_person(get(one, "landmark") or one, size) for one in found]
        frames.append([(person, -1) for person in persons])
    layout = "mediapipe" if world else "coco"
    return make_poses(layout, frames, img_shape=img_shape)


def _read_person(landmarks: Sequence[Any], size: tuple[int, int] | None) -> np.ndarray:
    """Returns ``[33, 4]`` of world landmarks, ``[17, 3]`` with the picture's size."""
    if len(landmarks) != _LANDMARKS:
        raise ValueError(f"{len(landmarks)} landmarks, expected {_LANDMARKS}")
    places = [[get(mark, axis) for axis in "xyz"] for mark in landmarks]
    points = np.array(places, dtype=np.float64)
    # Not told by every version of the tasks.
    told = [get(mark, "visibility") for mark in landmarks]
    scores = np.array([[1.0 if v is None else v] for v in told])
    if size is None:
        return np.concatenate([points * _TO_KINECT, scores], axis=1)
    joints = np.concatenate([points[:, :2] * (size[1], size[0]), scores], axis=1)
    return joint_weights("mediapipe", "coco") @ joints  # coco's are among MediaPipe's
