"""Results of mmpose: from frames of persons to an annotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def are_pose_results(value: Any) -> bool:
    """Tell whether a value is a list over frames of dicts as mmpose's results are."""
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(
            isinstance(frame, Mapping)
            and ("keypoints" in frame or "instances" in frame)
            for frame in value
        )
    )


def read_pose_results(frames: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Put the persons of all frames into arrays, as mmaction2's inference_skeleton.

    Person i of a frame goes to place i; who is who between frames is not known. Places
    that a frame does not fill are zero.

    Args:
        frames: For each frame a dict with ``keypoints`` ``[M, V, 2]``, in pixels, and
            ``keypoint_scores`` ``[M, V]``, M persons; or, as mmpose writes to JSON,
            with ``instances``, a list of persons with ``keypoints`` ``[V, 2]`` and
            ``keypoint_scores`` ``[V]``.
        name: The sequence's name.

    Returns:
        ``frame_dir``, ``keypoint`` float32 ``[M, T, V, 2]`` and ``keypoint_score``
        float32 ``[M, T, V]``. They are not rounded to float16 as in mmaction2, which
        would be up to two pixels in a 4K picture.

    Raises:
        ValueError: If frames disagree, lack a key, or nobody is there.
    """
    read = [
        _read_frame(frame, f"{name}: frame {index}")
        for index, frame in enumerate(frames)
    ]
    counts = [0 if points is None else len(points) for points, _ in read]
    if not any(counts):
        raise ValueError(f"{name}: nobody is in any of the {len(frames)} frames")
    shapes = [points.shape[1:] for points, _ in read if points is not None]
    keypoint = np.zeros((max(counts), len(read), *shapes[0]), np.float32)
    scores = np.zeros(keypoint.shape[:-1], np.float32)
    for index, (points, confidence) in enumerate(read):
        if points is None or confidence is None:
            continue
        if points.shape[1:] != shapes[0]:
            raise ValueError(
                f"{name}: frame {index} has keypoints [persons, "
                f"{', '.join(map(str, points.shape[1:]))}], earlier ones have "
                f"{list(shapes[0])} per person"
            )
        keypoint[: len(points), index] = points
        scores[: len(points), index] = confidence
    return {"frame_dir": name, "keypoint": keypoint, "keypoint_score": scores}


def _read_frame(
    frame: Mapping[str, Any], where: str
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Give keypoints ``[M, V, C]`` and scores ``[M, V]``; None where nobody is."""
    if "instances" in frame:
        persons = frame["instances"]
        if not isinstance(persons, (list, tuple)) or not all(
            isinstance(person, Mapping) for person in persons
        ):
            raise ValueError(f"{where}: 'instances' is no list of persons")
        frame = {
            key: [person.get(key) for person in persons]
            for key in ("keypoints", "keypoint_scores")
        }
    arrays = []
    for key, axes in (("keypoints", 3), ("keypoint_scores", 2)):
        value = frame.get(key)
        if value is None:
            raise ValueError(f"{where}: has no '{key}', its keys are {sorted(frame)}")
        try:
            array = np.array(value, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: '{key}' are no numbers ({error})") from error
        if array.size == 0:
            return None, None
        if array.ndim != axes:
            expected = "[M, V, 2]" if axes == 3 else "[M, V]"
            raise ValueError(
                f"{where}: '{key}' has shape {list(array.shape)}, expected {expected}"
            )
        arrays.append(array)
    points, scores = arrays
    if scores.shape != points.shape[:2]:
        raise ValueError(
            f"{where}: 'keypoint_scores' has shape {list(scores.shape)}, 'keypoints' "
            f"{list(points.shape)}; expected a score per joint"
        )
    return points, scores
