"""Results of Ultralytics YOLO-pose: objects, their JSON, and folders of labels.

docs.ultralytics.com/tasks/pose and reference/engine/results: the 17 joints of COCO. A
joint below the model's threshold is at (0, 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gap_mmaction.utils.files import parse_json

from .poses import Person, Poses, expecting, get, make_poses, numbers_of, span

_JOINTS = 17
_BOX = 5  # numbers of a label before the joints: class and box


def read_yolo(results: Sequence[Any], name: str) -> Poses:
    """Reads a result for each frame: layout ``coco``, in pixels.

    Args:
        results: ``Results`` of a pose model, or what their ``to_json()`` returns, as
            text or read.
        name: The recording's name, for messages.

    Raises:
        ValueError: If a result is not one of a pose model of COCO's joints.
    """
    frames: list[list[Person]] = []
    img_shape: tuple[int, int] | None = None
    for index, result in enumerate(results):
        with expecting("a result of a YOLO pose model", f"{name}: frame {index}"):
            if isinstance(result, (str, list)):
                frames.append(_read_json(result))
                continue
            height, width = result.orig_shape
            img_shape = (int(height), int(width))
            joints = _array(result.keypoints.data)
            tracks = get(result.boxes, "id")
            ids = [-1] * len(joints) if tracks is None else _array(tracks).tolist()
            frames.append([(_person(j), int(i)) for j, i in zip(joints, ids)])
    return make_poses("coco", frames, img_shape=img_shape)


def read_yolo_labels(
    folder: Path, name: str, img_shape: tuple[int, int] | None
) -> Poses:
    """Reads a folder of ``NAME_FRAME.txt``, which ``save_txt=True`` writes: as above.

    A line is the class, the box, 17 times x, y and perhaps the confidence, in shares
    of the picture, then perhaps the box's confidence and the track. A frame without
    anybody has no file; the first frame is 1.

    Raises:
        ValueError: If ``img_shape``, height and width, is missing, or a file is broken.
    """
    if img_shape is None:
        raise ValueError(
            f"{name}: YOLO's labels are in shares of the picture; give img_shape, its "
            "height and width"
        )
    numbers = numbers_of((path.name for path in folder.glob("*.txt")), name)
    found: dict[int, list[tuple[np.ndarray, list[float]]]] = {}
    for file, number in numbers.items():
        with expecting(f"labels of {_JOINTS} joints", str(folder / file)):
            lines = (folder / file).read_text("utf-8").splitlines()
            found[number] = [_read_label(line, img_shape) for line in lines]
    # One number after the joints is the track, unless confidences have been saved.
    ends = [end for persons in found.values() for _, end in persons]
    scored = any(len(end) == 2 or end[0] % 1 for end in ends if end)
    frames: list[list[Person]] = [
        [
            (joints, int(end[-1]) if len(end) == 1 + scored else -1)
            for joints, end in found.get(number, [])
        ]
        for number in span(found, first=1, where=name)
    ]
    return make_poses("coco", frames, img_shape=img_shape)


def _read_label(line: str, size: tuple[int, int]) -> tuple[np.ndarray, list[float]]:
    """Returns a person's ``[17, 3]`` and the numbers that come after the joints."""
    numbers = np.array(line.split(), dtype=float)
    columns = 3 if len(numbers) >= _BOX + 3 * _JOINTS else 2
    end = _BOX + columns * _JOINTS
    joints = numbers[_BOX:end].reshape(_JOINTS, columns)
    joints[:, :2] *= (size[1], size[0])
    if len(numbers) > end + 2 or not np.isfinite(numbers[end:]).all():
        raise ValueError(f"a line of {len(numbers)} numbers")
    return _person(joints), numbers[end:].tolist()


def _read_json(result: Any) -> list[Person]:
    persons = parse_json(result) if isinstance(result, str) else result
    read = []
    for person in persons:
        joints, track = person["keypoints"], person.get("track_id")
        columns = [joints[key] for key in ("x", "y", "visible") if key in joints]
        joints = _person(np.array(columns, dtype=float).T)
        read.append((joints, -1 if track is None else int(track)))
    return read


def _array(value: Any) -> np.ndarray:
    """Returns a tensor on any device, or an array, as an array."""
    return np.asarray(value.cpu() if hasattr(value, "cpu") else value, dtype=float)


def _person(joints: np.ndarray) -> np.ndarray:
    """Returns ``[17, 3]`` of joints with or without a confidence, then 0 or 1."""
    if joints.shape not in ((_JOINTS, 2), (_JOINTS, 3)):
        raise ValueError(f"keypoints {list(joints.shape)}, expected [{_JOINTS}, 3]")
    places = joints[:, :2]
    found = places.any(axis=1, keepdims=True)
    return np.concatenate([places, joints[:, 2:] * found, found], axis=1)[:, :3]
