"""Reads what a user has, arrays, annotations and files, into annotations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gap_mmaction.datasets.annotation_check import name_of, to_numbers
from gap_mmaction.datasets.ntu.denoising import (
    UnusableSampleError,
    select_actors,
    translate,
)
from gap_mmaction.datasets.ntu.sample import PROTOCOLS, finish_annotation
from gap_mmaction.datasets.ntu.skeleton_file import parse_skeleton
from gap_mmaction.datasets.readers import msr_action3d, nwucla, sbu_kinect, utd_mhad
from gap_mmaction.utils.restricted_pickle import load_annotations

from .input_format import InputFormat
from .poses import is_result_of_estimator, read_poses

_OF_SETS: dict[str, Callable[[bytes, str], np.ndarray]] = {
    "*.mat": utd_mhad.read_keypoint,
    "*_skeleton3D.txt": msr_action3d.read_keypoint,
    "skeleton_pos.txt": sbu_kinect.read_keypoint,
}
_SUFFIXES = (".skeleton", ".json", ".pkl", ".npy")
_FILES = ", ".join((*_SUFFIXES, ".csv", *_OF_SETS))

_FORMS = (
    "an array [T, V, C] or [M, T, V, C], an annotation (a dict with 'keypoint'), "
    "several of them (a list, or a dict with 'annotations'), results of mmpose (a list "
    "over frames of dicts with 'keypoints' and 'keypoint_scores'), of MediaPipe, YOLO, "
    "OpenPose or AlphaPose, a sequence of "
    f"NW-UCLA (a dict with 'skeletons') or the path of a file ({_FILES})"
)


class InputReader:
    """Reads sequences of any kind that the project knows.

    Args:
        format: What the config wants; arrays are read accordingly.
        num_classes: The model's number of classes: with 120 a ``.skeleton`` file of one
            actor is prepared as those of NTU RGB+D 120.
        ntu_protocol: ``"reference"`` or ``"clean"``, as for
            ``tools/data/prepare_ntu.py``; the one of the training data.
    """

    def __init__(
        self, format: InputFormat, num_classes: int, ntu_protocol: str = "reference"
    ) -> None:
        if ntu_protocol not in PROTOCOLS:
            raise ValueError(
                f"ntu_protocol={ntu_protocol!r}: not one of {', '.join(PROTOCOLS)}"
            )
        self.format = format
        self.ntu_dataset = "ntu120" if num_classes == 120 else "ntu60"
        self.ntu_protocol = ntu_protocol

    def read(
        self,
        source: Any,
        name: str,
        split: str | None = None,
        img_shape: tuple[int, int] | None = None,
    ) -> list[dict[str, Any]]:
        """Reads one input of :class:`.SkeletonInferencer`, which says what it raises.

        ``name`` is for messages and for a sequence that has none of its own. Returns an
        unchecked annotation per sequence, with its name as ``frame_dir``.
        """
        if isinstance(source, (str, PathLike)):
            return self._read_file(Path(source), name, split, img_shape)
        if isinstance(source, (np.ndarray, torch.Tensor)):
            return [self.format.read_array(source, name)]
        if is_result_of_estimator(source):  # some have 'keypoints' as mmpose's have
            return [self._read_poses(source, name, img_shape)]
        if are_pose_results(source):
            return [read_pose_results(source, name)]
        if isinstance(source, Mapping):
            if "keypoint" in source:
                return [_named(source, name)]
            if "annotations" in source:
                return _read_annotations(source, name, split)
            if "instance_info" in source:  # as mmpose's demo writes it
                return self.read(source["instance_info"], name, None, img_shape)
            if "frames" in source and "times" in source:  # tools/video_poses.py
                return [self._read_video(source, name)]
            if "skeletons" in source:
                keypoint = nwucla.read_keypoint(source["skeletons"], name)
                return [{"frame_dir": name, "keypoint": keypoint[None]}]
        elif _are_dicts_with(source, "keypoint"):
            return _read_annotations({"annotations": source}, name, split)
        raise TypeError(f"{name}: {_describe(source)}, expected {_FORMS}")

    def _read_poses(
        self, source: Any, name: str, img_shape: tuple[int, int] | None
    ) -> dict[str, Any]:
        """Reads what an estimator found, in the joints that the config wants."""
        flat = self.format.skeleton.num_coordinates == 2
        poses = read_poses(source, name, flat, img_shape, own=self.format.skeleton)
        try:
            poses = poses.to(self.format.skeleton)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        return poses.annotation(name)

    def _read_video(self, source: Mapping[str, Any], name: str) -> dict[str, Any]:
        frames, size = source["frames"], tuple(source["img_shape"])
        if not is_result_of_estimator(frames):
            raise ValueError(f"{name}: nobody was found in any of {len(frames)} frames")
        found = self._read_poses(frames, name, size)
        return found | {"times": to_numbers(source["times"], "'times'")}

    def _read_file(
        self,
        path: Path,
        name: str,
        split: str | None,
        img_shape: tuple[int, int] | None,
    ) -> list[dict[str, Any]]:
        suffix = path.suffix.lower()
        if path.is_dir() or (suffix == ".csv" and path.is_file()):
            return [self._read_poses(path, name, img_shape)]
        reads = [_OF_SETS[pattern] for pattern in _OF_SETS if path.match(pattern)]
        if suffix not in _SUFFIXES and not reads:
            raise ValueError(
                f"{path}: files of this name are not read; give one of {_FILES}"
            )
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no such file")
        if reads:
            keypoint = reads[0](path.read_bytes(), str(path))
            # Frames of zeros are left out, as tools/data/prepare.py does.
            present = keypoint.any(axis=(0, 2, 3))
            keypoint = np.asarray(keypoint[:, present], np.float32)
            return [{"frame_dir": name, "keypoint": keypoint}]
        if suffix == ".skeleton":
            return [self._read_ntu(path, name)]
        if suffix == ".pkl":
            return self.read(load_annotations(path), name, split, img_shape)
        if suffix == ".npy":
            try:
                array = np.load(path, allow_pickle=False)
            except (EOFError, ValueError) as error:
                raise ValueError(f"{path}: no readable array ({error})") from error
            return [self.format.read_array(array, name)]
        try:
            content = json.loads(path.read_bytes())
        except (RecursionError, ValueError) as error:  # JSON- or UnicodeDecodeError
            raise ValueError(f"{path}: not json ({error})") from error
        return self.read(content, name, split, img_shape)

    def _read_ntu(self, path: Path, name: str) -> dict[str, Any]:
        """Runs the chain of tools/data/prepare_ntu.py, whatever the file's name is."""
        sequence = parse_skeleton(path.read_bytes(), str(path))
        try:
            actors, _ = select_actors(sequence, self.ntu_protocol)
            moved = translate(actors.joints)
        except UnusableSampleError as error:
            raise ValueError(f"{path}: cannot be used: {error}") from error
        joints = moved.reshape(len(moved), -1, 25, 3).transpose(1, 0, 2, 3)
        annotation = {"frame_dir": name, "keypoint": np.ascontiguousarray(joints)}
        return finish_annotation(annotation, self.ntu_dataset, self.ntu_protocol)


def _read_annotations(
    content: Mapping[str, Any], name: str, split: str | None
) -> list[dict[str, Any]]:
    """Returns the annotations, or those of a split of an annotation file."""
    annotations: Sequence[Any] = content["annotations"]
    if not isinstance(annotations, (list, tuple)) or not annotations:
        raise ValueError(f"{name}: 'annotations' is no list with a sequence in it")
    for index, item in enumerate(annotations):
        if not isinstance(item, Mapping):
            raise ValueError(
                f"{name}: annotation {index} is a {type(item).__name__}, no dict"
            )
    if split is not None:
        splits = content.get("split") or {}
        if split not in splits:
            raise ValueError(
                f"{name}: no split {split!r}; there are "
                f"{', '.join(map(repr, splits)) or 'none'}"
            )
        wanted = set(splits[split])
        annotations = [item for item in annotations if name_of(item) in wanted]
        if not annotations:
            raise ValueError(f"{name}: no sequence is in the split {split!r}")
    return [_named(item, f"{name}#{index}") for index, item in enumerate(annotations)]


def _named(annotation: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**annotation, "frame_dir": str(name_of(annotation) or name)}


def _describe(source: Any) -> str:
    if isinstance(source, Mapping):
        return f"a dict with the keys {sorted(map(str, source))}"
    if isinstance(source, (list, tuple)):
        kinds = sorted({type(item).__name__ for item in source})
        return f"a list of {' and '.join(kinds) or 'nothing'}"
    return f"a {type(source).__name__}"


def are_pose_results(value: Any) -> bool:
    """Says whether a value is a list over frames of dicts, as mmpose's results are."""
    return _are_dicts_with(value, "keypoints", "instances")


def _are_dicts_with(value: Any, *keys: str) -> bool:
    """Says whether a value is a list of dicts with one of the keys at least."""
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(v, Mapping) and any(k in v for k in keys) for v in value)
    )


def read_pose_results(frames: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Puts the persons of all frames into arrays, as mmaction2's inference_skeleton.

    Person i of a frame goes to place i; who is who between frames is not known, which
    ``is_tracked`` says to timelines. Places that a frame does not fill are zero.
    Numbers are not rounded to float16 as in mmaction2, which would be up to two pixels
    in a 4K picture.

    Args:
        frames: For each frame a dict with ``keypoints`` ``[M, V, 2]``, in pixels, and
            ``keypoint_scores`` ``[M, V]``, M persons; or, as mmpose writes to JSON,
            with ``instances``, a list of persons with such of their own.
        name: The sequence's name.
    """
    every = (_read_frame(f, f"{name}: frame {i}") for i, f in enumerate(frames))
    read = {index: found for index, found in enumerate(every) if found is not None}
    if not read:
        raise ValueError(f"{name}: nobody is in any of the {len(frames)} frames")
    most, shape = max(map(len, read.values())), next(iter(read.values())).shape[1:]
    joined = np.zeros((most, len(frames), *shape), np.float32)
    for index, persons in read.items():
        if persons.shape[1:] != shape:
            raise ValueError(
                f"{name}: frame {index} has {persons.shape[1]} keypoints of "
                f"{persons.shape[2] - 1} numbers per person, earlier ones have "
                f"{shape[0]} of {shape[1] - 1}"
            )
        joined[: len(persons), index] = persons
    joints = {"keypoint": joined[..., :-1], "keypoint_score": joined[..., -1]}
    return {"frame_dir": name, **joints, "is_tracked": False}


def _read_frame(frame: Mapping[str, Any], where: str) -> np.ndarray | None:
    """Returns keypoints with their scores ``[M, V, 3]``; None where nobody is."""
    keys = ("keypoints", "keypoint_scores")
    if "instances" in frame:
        persons = frame["instances"]
        if not isinstance(persons, (list, tuple)) or not all(
            isinstance(person, Mapping) for person in persons
        ):
            raise ValueError(f"{where}: 'instances' is no list of persons")
        frame = {key: [person.get(key) for person in persons] for key in keys}
    for key in keys:
        if frame.get(key) is None:
            raise ValueError(f"{where}: has no '{key}', its keys are {sorted(frame)}")
    try:
        points, scores = (np.array(frame[key], dtype=np.float32) for key in keys)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: 'keypoints' or 'keypoint_scores' are no numbers ({error})"
        ) from error
    if points.size == 0:
        return None
    if points.ndim != 3 or scores.shape != points.shape[:2]:
        raise ValueError(
            f"{where}: 'keypoints' has shape {list(points.shape)}, 'keypoint_scores' "
            f"{list(scores.shape)}; expected [M, V, 2] and [M, V]"
        )
    return np.concatenate([points, scores[..., None]], axis=-1)
