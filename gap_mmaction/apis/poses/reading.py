"""Finds out which estimator's results something is, and reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from gap_mmaction.skeletons import Layout, get_skeleton
from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.files import parse_json

from .alphapose import read_alphapose
from .csv_table import is_table, read_csv
from .mediapipe import read_mediapipe
from .openpose import read_openpose
from .poses import Poses, get
from .yolo import read_yolo, read_yolo_labels

_FORMS = (
    "results of MediaPipe or Ultralytics YOLO (a list with one for each frame, or the "
    "json of it), a folder of OpenPose (*_keypoints.json) or of YOLO's labels "
    "(NAME_FRAME.txt), AlphaPose's json, or a csv table with a column 'time' or 'frame'"
)


def read_poses(
    source: Any,
    name: str,
    flat: bool = False,
    img_shape: tuple[int, int] | None = None,
    layout: Layout | None = None,
) -> Poses:
    """Reads the results of a pose estimator, told by their content.

    Args:
        source: The path of a file or a folder, or results for each frame.
        name: The recording's name, for messages about results that are no file.
        flat: Whether to take MediaPipe's landmarks in the picture, not those in space.
        img_shape: Height and width of the picture in pixels. Needed where places are
            in shares of it: YOLO's labels, MediaPipe's landmarks in the picture.
        layout: The joints of a csv table. Others tell theirs, and are checked for it;
            ``Poses.to`` converts.

    Raises:
        ValueError: If the results are of no known kind, broken, or of another layout.
        FileNotFoundError: If there is no such file.
    """
    if isinstance(source, (str, PathLike)):
        path, name = Path(source), str(source)
        if not path.exists():
            raise FileNotFoundError(f"{path}: there is no such file or folder")
        source = path if path.is_dir() else _read_text(path)
    if isinstance(source, str):
        if is_table(source):
            return read_csv(source, name, layout)
        try:
            source = parse_json(source)
        except ValueError as error:
            raise ValueError(
                f"{name}: neither json ({error}) nor a csv table with a column 'time' "
                "or 'frame'"
            ) from error
    if isinstance(source, Path):
        poses = _read_folder(source, img_shape)
    else:
        if isinstance(source, Iterable) and not isinstance(source, Mapping):
            source = list(source)  # YOLO's results may come from a generator
        kind = _kind_of(source)
        if kind == "alphapose":
            poses = read_alphapose(source, name)
        elif kind == "mediapipe":
            poses = read_mediapipe(source, name, not flat, img_shape)
        elif kind is not None:
            poses = read_yolo([source] if kind == "yolo frame" else source, name)
        else:
            raise ValueError(
                f"{name}: {brief(source)} is of no known kind; expected {_FORMS}"
            )
    if layout is not None and get_skeleton(layout).name != poses.layout:
        raise ValueError(
            f"{name}: joints of layout {poses.layout!r}, not of "
            f"{get_skeleton(layout).name!r}; leave `layout` out, and convert what is "
            "read by `Poses.to`"
        )
    return poses


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: no text in UTF-8 ({error})") from error


def _read_folder(folder: Path, img_shape: tuple[int, int] | None) -> Poses:
    if any(folder.glob("*_keypoints.json")):
        return read_openpose(folder, str(folder))
    if any(folder.glob("*.txt")):
        return read_yolo_labels(folder, str(folder), img_shape)
    raise ValueError(f"{folder}: no results in this folder; expected {_FORMS}")


def is_result_of_estimator(source: Any) -> bool:
    """Says whether something, no path or generator, is what ``read_poses`` takes."""
    return _kind_of(source) is not None


def _kind_of(source: Any) -> str | None:
    if isinstance(source, Mapping):  # AlphaPose's other formats
        first = next(iter(source.values()), None)
        persons = (get(first, key) for key in ("bodies", "people"))
        return "alphapose" if any(found is not None for found in persons) else None
    items = source if isinstance(source, (list, tuple)) else ()
    first = next((item for item in items if item is not None and item != []), None)
    if isinstance(first, str):
        return "yolo" if first.lstrip().startswith("[") else None
    if isinstance(first, list):
        return "yolo" if _kind_of(first) == "yolo frame" else None
    keys = first if isinstance(first, Mapping) else dir(first)
    if "keypoints" in keys and isinstance(get(get(first, "keypoints"), "x"), list):
        return "yolo frame"
    if "keypoints" in keys and "orig_shape" in keys:
        return "yolo"
    if "pose_landmarks" in keys or "pose_world_landmarks" in keys:
        return "mediapipe"
    return "alphapose" if "image_id" in keys else None
