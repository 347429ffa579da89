"""Reads what pose estimators write, told by its content.

* MediaPipe Pose, ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker/python:
  a landmark has x, y, z and visibility; those of ``pose_world_landmarks`` are in
  metres, those of ``pose_landmarks`` in shares of the picture.
* Ultralytics YOLO-pose, docs.ultralytics.com/tasks/pose and reference/engine/results:
  the 17 joints of COCO, one below the model's threshold at (0, 0).
* OpenPose, doc/02_output.md: a ``*_keypoints.json`` for each frame; x, y in pixels and
  the confidence, all 0 where a joint was not found.
* AlphaPose, docs/output.md: one json, a list over persons with ``image_id``,
  ``keypoints`` as OpenPose's and, of ``--pose_track``, ``idx``.
* A csv table, of which :mod:`.csv_table` tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gap_mmaction.skeletons import Skeleton
from gap_mmaction.skeletons.conversion import joint_weights
from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.files import parse_json

from .csv_table import is_table, read_csv
from .poses import Person, Poses, expecting, fill_frames, make_poses

_FORMS = (
    "results of MediaPipe or Ultralytics YOLO (a list with one for each frame, or the "
    "json of it), a folder of OpenPose (*_keypoints.json) or of YOLO's labels "
    "(NAME_FRAME.txt), AlphaPose's json, or a csv table with a column 'time' or 'frame'"
)
_SHAPE = "give img_shape, its height and width"


def read_poses(
    source: Any,
    name: str,
    flat: bool = False,
    img_shape: tuple[int, int] | None = None,
    own: Skeleton | None = None,
) -> Poses:
    """Reads the results of a pose estimator, told by their content.

    Args:
        source: The path of a file or a folder, or results for each frame.
        name: The recording's name, for messages about results that are no file.
        flat: Whether to take MediaPipe's landmarks in the picture, not those in space.
        img_shape: Height and width of the picture in pixels. Needed where places are
            in shares of it: YOLO's labels, MediaPipe's landmarks in the picture.
        own: A layout that a csv table may have besides those that are built in.

    Raises:
        ValueError: If the results are of no known kind, or broken.
        FileNotFoundError: If there is no such file.
    """
    if isinstance(source, (str, PathLike)):
        path, name = Path(source), str(source)
        if any(path.glob("*_keypoints.json")):
            return _read_openpose(path, name)
        if any(path.glob("*.txt")):
            return _read_yolo_labels(path, name, img_shape)
        if path.is_dir():
            raise ValueError(f"{name}: no results in this folder; expected {_FORMS}")
        with expecting("json, or a csv table with a column 'time' or 'frame'", name):
            text = path.read_text("utf-8-sig")
            source = None if is_table(text) else parse_json(text)
        if is_table(text):
            return read_csv(text, name, own)
    if isinstance(source, Iterable) and not isinstance(source, Mapping):
        source = list(source)  # YOLO's results may come from a generator
    kind = _kind_of(source)
    if kind is None:
        raise ValueError(
            f"{name}: {brief(source)} is of no known kind; expected {_FORMS}"
        )
    if kind == "mediapipe":
        return _read_mediapipe(source, name, flat, img_shape)
    return _read_yolo(source, name) if kind == "yolo" else _read_alphapose(source, name)


def is_result_of_estimator(source: Any) -> bool:
    """Says whether something, no path or generator, is what ``read_poses`` takes."""
    return _kind_of(source) is not None


def _kind_of(source: Any) -> str | None:
    """Tells the estimator by the first frame, or person, with anything in it."""
    items = source if isinstance(source, (list, tuple)) else ()
    first = next((i for i in items if not isinstance(i, (list, type(None))) or i), None)
    if isinstance(first, str):
        return "yolo" if first.lstrip().startswith("[") else None
    if isinstance(first, list):  # of a frame of YOLO's json
        first = first[0]
    keys = first if isinstance(first, Mapping) else dir(first)
    if "pose_landmarks" in keys or "pose_world_landmarks" in keys:
        return "mediapipe"
    if "image_id" in keys:
        return "alphapose"
    is_yolo = "orig_shape" in keys or _get(_get(first, "keypoints"), "x") is not None
    return "yolo" if is_yolo else None


def _get(item: Any, key: str) -> Any:
    """Returns an attribute of an object or a value of a dict, None without one."""
    return item.get(key) if isinstance(item, Mapping) else getattr(item, key, None)


def _read_mediapipe(
    results: Sequence[Any], name: str, flat: bool, img_shape: tuple[int, int] | None
) -> Poses:
    """Reads a result for each frame, objects or dicts with the same keys.

    A result has the landmarks of one person (solutions), also as ``MessageToDict``
    writes them, or a list over persons (tasks). Returns the places in space, layout
    ``mediapipe``, in metres in the Kinects' axes, the origin between the hips; or,
    with ``flat``, those in the picture of height and width ``img_shape``, layout
    ``coco``, in pixels.
    """
    if flat and img_shape is None:
        raise ValueError(f"{name}: landmarks are in shares of the picture; {_SHAPE}")
    key = "pose_landmarks" if flat else "pose_world_landmarks"
    told = [bool(_get(one, key)) for one in results]
    if not any(told) and any(_get(one, "pose_landmarks") for one in results):
        raise ValueError(
            f"{name}: there are no {key!r}, only those of the picture; take them by "
            "flat=True and img_shape"
        )
    frames: list[list[Person]] = []
    for index, result in enumerate(results):
        with expecting("a result of MediaPipe Pose", f"{name}: frame {index}"):
            found = _get(result, key) or []
            persons = [found] if _get(found, "landmark") else found
            size = img_shape if flat else None
            frames.append([(_landmarks(person, size), -1) for person in persons])
    return make_poses("coco" if flat else "mediapipe", frames, img_shape=img_shape)


def _landmarks(person: Any, size: tuple[int, int] | None) -> np.ndarray:
    """Returns ``[33, 4]`` of world landmarks, ``[17, 3]`` with the picture's size."""
    marks, keys = _get(person, "landmark") or person, ("x", "y", "z", "visibility")
    if len(marks) != 33:
        raise ValueError(f"{len(marks)} landmarks, expected 33")
    joints = np.array([[_get(mark, key) for key in keys] for mark in marks], float)
    # Not every version of the tasks tells the visibility.
    joints[:, 3] = np.nan_to_num(joints[:, 3], nan=1.0)
    if size is None:
        return joints * (-1, -1, 1, 1)
    pixels = joints[:, [0, 1, 3]] * (size[1], size[0], 1)
    return joint_weights("mediapipe", "coco") @ pixels  # coco's are among MediaPipe's


def _read_yolo(results: Sequence[Any], name: str) -> Poses:
    """Reads a result for each frame: layout ``coco``, in pixels.

    A result is an Ultralytics ``Results`` or what its ``to_json()`` returns, as text
    or read. ``results`` may also be the latter of a single frame.
    """
    if any(isinstance(result, Mapping) for result in results):
        results = [results]
    frames, shape = [], None
    for index, result in enumerate(results):
        with expecting("a result of a YOLO pose model", f"{name}: frame {index}"):
            if isinstance(result, (str, list)):
                persons = parse_json(result) if isinstance(result, str) else result
                tables = [person["keypoints"] for person in persons]
                kinds = ("x", "y", "visible")
                joints = [np.array([t[k] for k in kinds if k in t]).T for t in tables]
                tracks = [person.get("track_id") for person in persons]
            else:
                joints = [*torch.as_tensor(result.keypoints.data).cpu().numpy()]
                ids = _get(result.boxes, "id")
                tracks = [None] * len(joints) if ids is None else ids.tolist()
                shape = (int(result.orig_shape[0]), int(result.orig_shape[1]))
            frames.append([_coco_person(*person) for person in zip(joints, tracks)])
    return make_poses("coco", frames, img_shape=shape)


def _read_yolo_labels(
    folder: Path, name: str, img_shape: tuple[int, int] | None
) -> Poses:
    """Reads ``NAME_FRAME.txt``, which ``save_txt=True`` writes: ``coco``, in pixels.

    A line is the class, the box, 17 times x, y and perhaps the confidence, in shares
    of the picture of height and width ``img_shape``, then perhaps the box's confidence
    and the track. A frame without anybody has no file; the first frame is 1.
    """
    if img_shape is None:
        raise ValueError(
            f"{name}: YOLO's labels are in shares of the picture; {_SHAPE}"
        )
    found = {}
    for number, file in _by_number((f.name for f in folder.glob("*.txt")), name):
        with expecting("labels of 17 joints", str(folder / file)):
            lines = (folder / file).read_text("utf-8").splitlines()
            found[number] = [_read_label(line, img_shape) for line in lines]
    return make_poses("coco", fill_frames(found, 1, name), img_shape=img_shape)


def _read_label(line: str, size: tuple[int, int]) -> Person:
    numbers = np.array(line.split(), float)
    columns = 3 if len(numbers) >= 5 + 3 * 17 else 2
    joints, end = np.split(numbers[5:], [17 * columns])
    if len(end) > 2:
        raise ValueError(f"a line of {len(numbers)} numbers")
    joints = joints.reshape(17, columns) * [size[1], size[0], 1][:columns]
    # A confidence is no whole number, a track is one.
    return _coco_person(joints, end[-1] if len(end) and end[-1] % 1 == 0 else None)


def _coco_person(joints: np.ndarray, track: float | None) -> Person:
    """Returns ``[17, 3]`` of joints with or without a confidence, then 0 or 1."""
    if joints.shape not in ((17, 2), (17, 3)):
        raise ValueError(f"keypoints {list(joints.shape)}, expected [17, 3]")
    found = joints[:, :2].any(axis=1, keepdims=True)
    joints = np.hstack([joints[:, :2], joints[:, 2:] * found, found])[:, :3]
    return joints, -1 if track is None else int(track)


def _read_openpose(folder: Path, name: str) -> Poses:
    """Reads the files by their frame numbers: ``openpose18`` or ``openpose25``."""
    frames = []
    files = (file.name for file in folder.glob("*_keypoints.json"))
    for _, file in _by_number(files, name):
        with expecting("a frame written by OpenPose", str(folder / file)):
            people = parse_json((folder / file).read_bytes())["people"]
            frames.append([_person(one, "pose_keypoints_2d") for one in people])
    if not any(frames):
        raise ValueError(f"{name}: nobody is in any of the {len(frames)} frames")
    way = "run OpenPose with --model_pose BODY_25 or COCO"
    return _make_poses(frames, {18: "openpose18", 25: "openpose25"}, name, way)


def _read_alphapose(content: Sequence[Any], name: str) -> Poses:
    """Reads the content of the file: ``coco`` or ``halpe26``.

    A frame is the number in ``image_id`` (``"12.jpg"``), from 0; those that are not in
    the file are empty.
    """
    images: dict[str, list[Person]] = {}
    for index, one in enumerate(content):
        with expecting("written by AlphaPose", f"{name}: person {index}"):
            person = _person(one, "keypoints")
            images.setdefault(str(one["image_id"]), []).append(person)
    found = {number: images[image] for number, image in _by_number(images, name)}
    way = (
        "run AlphaPose with a model of 17 (COCO) or 26 joints (Halpe), or, of Halpe's "
        "136, keep the first 26 of each person"
    )
    frames = fill_frames(found, first=0, where=name)
    return _make_poses(frames, {17: "coco", 26: "halpe26"}, name, way)


def _person(person: Mapping[str, Any], key: str) -> Person:
    track = person.get("idx", person.get("person_id", -1))
    return np.array(person[key], float).reshape(-1, 3), int(np.ravel(track)[0])


def _make_poses(
    frames: Sequence[list[Person]], layouts: Mapping[int, str], name: str, way: str
) -> Poses:
    """Takes the layout of as many joints; ``way`` is the way out if there is none."""
    sizes = {len(joints) for persons in frames for joints, _ in persons}
    if len(sizes) != 1 or not sizes <= set(layouts):
        raise ValueError(f"{name}: persons have {sorted(sizes)} joints; {way}")
    return make_poses(layouts[sizes.pop()], frames)


def _by_number(names: Iterable[str], where: str) -> list[tuple[int, str]]:
    """Sorts names by the frame numbers at their ends: ``video_12_keypoints.json``."""
    numbered, starts = [], set()
    for name in names:
        match = re.match(r"(.*?)(\d{1,18})(_keypoints)?$", Path(name).stem)
        if match is None:
            raise ValueError(
                f"{where}: {name!r} has no frame number at its end; name it NAME_NUMBER"
            )
        starts.add(match[1])
        numbered.append((int(match[2]), name))
    if len(starts) > 1 or len(dict(numbered)) < len(numbered):
        raise ValueError(
            f"{where}: frames of several recordings, their names begin with "
            f"{sorted(starts)}; give one at a time"
        )
    return sorted(numbered)
