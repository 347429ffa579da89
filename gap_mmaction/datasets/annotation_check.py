"""The one check of an annotation, for training, testing and inference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmaction.datasets.transforms import PreNormalize2D
from mmaction.registry import TRANSFORMS

from gap_mmaction.skeletons.skeleton import NUM_COORDINATES, Skeleton
from gap_mmaction.utils.brief import brief

_AXIS_NAMES = "[M, T, V, C] (persons, frames, joints, columns)"
# Metres, millimetres and pixels are far below; squares of these are finite still.
_FARTHEST = np.float32(1e9)  # no Python float, which float16 would make inf


def name_of(annotation: Mapping[str, Any]) -> Any:
    """Returns what identifies a sequence, by the key that ``PoseDataset`` prefers."""
    return annotation.get("filename", annotation.get("frame_dir"))


@dataclass(frozen=True)
class AnnotationCheck:
    """What a data set or config wants of an annotation."""

    skeleton: Skeleton | None  # None: any number of joints
    num_coordinates: int | None  # columns of keypoint; None: 2 or 3
    has_score: bool | None  # whether keypoint_score is wanted; None: where there is one
    needs_img_shape: bool  # whether coordinates are scaled by the size of the picture
    num_person: int | None = None  # whom the pipeline takes; None: everybody

    def __str__(self) -> str:
        if self.skeleton is None:
            return "no layout is set"
        columns = " ".join("xyz"[: self.num_coordinates])
        more = " and a confidence" if self.has_score else ""
        name, joints = self.skeleton.name, self.skeleton.num_joints
        return f"layout {name!r} has {joints} joints with {columns}{more}"

    def read(
        self, annotation: Mapping[str, Any], trim_frames: bool = True
    ) -> dict[str, Any]:
        """Checks an annotation and returns what a pipeline is to have of it.

        That is ``keypoint`` ``[M, T, V, C]``, ``keypoint_score`` ``[M, T, V]`` where it
        is wanted, both of floats, ``total_frames`` and further keys that are not None.
        Persons who are in no frame come last, those beyond ``num_person`` are left out,
        and, with ``trim_frames``, the frames before the first and after the last one
        with anybody: what takes person 0 or the first frames would take zeros. Empty
        frames within stay, as in CTR-GCN's feeder. What does not fit is a
        ``ValueError``.
        """
        read = {key: value for key, value in annotation.items() if value is not None}
        if "keypoint" not in read:
            keys = brief(sorted(map(str, annotation)))
            raise ValueError(f"has no 'keypoint' {_AXIS_NAMES}, its keys are {keys}")
        keypoint = read["keypoint"] = to_numbers(read["keypoint"], "'keypoint'")
        self._check_shape(keypoint)
        frames = keypoint.shape[1]
        total: Any = read.get("total_frames", frames)
        if not np.array_equal(total, frames):
            raise ValueError(
                f"total_frames={brief(total)}, but 'keypoint' of shape "
                f"{list(keypoint.shape)} has {frames} frames; correct 'total_frames', "
                f"or the order of the axes, {_AXIS_NAMES}"
            )
        _check_finite(keypoint, "keypoint")
        if self.has_score is False:
            read.pop("keypoint_score", None)
        elif "keypoint_score" in read:
            score = to_scores(read["keypoint_score"], keypoint)
            _check_finite(score, "keypoint_score")
            read["keypoint_score"] = score
        elif self.has_score:
            raise ValueError(
                f"has no 'keypoint_score' [M, T, V], the confidence of each joint "
                f"({self}); where none is known, give ones"
            )
        if self.needs_img_shape or (keypoint.shape[3] == 2 and "img_shape" in read):
            read["img_shape"] = _read_img_shape(read.get("img_shape"))
        # Now, or persons who are left out later would set the scale of the others.
        _put_empty_last(read, trim_frames, self.num_person)
        return read

    def _check_shape(self, keypoint: np.ndarray) -> None:
        shape = list(keypoint.shape)
        if len(shape) != 4:
            raise ValueError(
                f"'keypoint' has shape {shape}, expected {_AXIS_NAMES}; of one person "
                "it is keypoint[None]"
            )
        if 0 in shape[:2]:
            what = "frames" if shape[0] else "person"
            raise ValueError(
                f"a sequence with no {what} ('keypoint' is {shape}); leave it out"
            )
        if self.skeleton is not None and shape[2] != self.skeleton.num_joints:
            raise ValueError(
                f"'keypoint' has {shape[2]} joints, layout '{self.skeleton.name}' has "
                f"{self.skeleton.num_joints}; set 'layout' to that of the data, or "
                f"reorder its axes: its shape is {shape}, expected [M, T, V, C]"
            )
        columns = self.num_coordinates
        if shape[3] in (NUM_COORDINATES if columns is None else (columns,)):
            return
        expected = "2 or 3, a joint's coordinates" if columns is None else f"{columns}"
        more = shape[3] > (columns or max(NUM_COORDINATES))
        raise ValueError(
            f"'keypoint' has {shape[3]} columns (shape {shape}), expected {expected} "
            f"({self}); give these"
            + (" (one more would be taken for the confidence," if more else " (")
            + " a confidence goes into 'keypoint_score'), or set num_coordinates of a "
            "layout of your own"
        )


def persons_taken(pipeline: Iterable[Any]) -> int | None:
    """Returns how many persons a pipeline gives to a model; None: all of them."""
    counts = [
        step.get("num_person", 2)  # as FormatGCNInput has it
        for step in pipeline
        if isinstance(step, Mapping) and step.get("type") == "FormatGCNInput"
    ]
    return counts[-1] if counts else None


def scales_by_picture(step: Any) -> bool:
    """Returns whether a pipeline's step needs the size of the picture of its data."""
    if not isinstance(step, Mapping) or "img_shape" in step:
        return False
    kind = step.get("type")
    kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    return isinstance(kind, type) and issubclass(kind, PreNormalize2D)


def to_numbers(values: Any, what: str) -> np.ndarray:
    """Makes an array of floats of an array, a tensor or nested lists named ``what``."""
    if hasattr(values, "detach"):  # a tensor
        values = values.detach().cpu().numpy()
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError, RecursionError) as error:  # of unequal length
        raise ValueError(f"{what} is ragged ({error}), save a float array") from error
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"{what} is {brief(values)} of type {array.dtype}, expected numbers; save "
            "a float array"
        )
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def to_scores(values: Any, keypoint: np.ndarray) -> np.ndarray:
    """Makes an array of the confidences of ``keypoint``, one for each joint."""
    score = to_numbers(values, "'keypoint_score'")
    if score.shape != keypoint.shape[:-1]:
        raise ValueError(
            f"'keypoint_score' has shape {list(score.shape)}, 'keypoint' "
            f"{list(keypoint.shape)}; expected {list(keypoint.shape[:-1])}"
        )
    return score


def _check_finite(values: np.ndarray, key: str) -> None:
    # Not finite or too large: NaN is neither smaller nor greater.
    bad = ~(np.abs(values) <= _FARTHEST)
    if not bad.any():
        return
    place = tuple(np.argwhere(bad)[0])
    names = ("person", "frame", "joint", "axis")
    where = ", ".join(f"{name} {index}" for name, index in zip(names, place))
    raise ValueError(
        f"'{key}' is {values[place]}, not finite or too large, at {where} (0-based; "
        f"{int(bad.sum())} such values in all); repair the sequence or leave it out"
    )


def _read_img_shape(shape: Any) -> tuple[int, int]:
    if shape is None:
        raise ValueError(
            "the size of the picture is not known, by which coordinates in pixels are "
            "scaled; add img_shape=(height, width) to the annotation (--img-shape in "
            "inference), or set it in the config's PreNormalize2D"
        )
    numbers = np.ravel(shape)
    # Three with the channels, as frame.shape is.
    is_pair = numbers.dtype.kind in "iuf" and len(numbers) in (2, 3)
    if not is_pair or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise ValueError(f"img_shape is {brief(shape)}, expected (height, width)")
    return int(numbers[0]), int(numbers[1])


def _put_empty_last(
    annotation: dict[str, Any], trim_frames: bool, num_person: int | None
) -> None:
    """Puts persons without joints last, and leaves out empty frames at both ends.

    Of the persons the first ``num_person`` stay.
    """
    present = annotation["keypoint"].any(axis=(2, 3))
    persons, frames = present.any(axis=1), present.any(axis=0)
    if not persons.any():
        raise ValueError("a sequence with no person: all is zero; leave it out")
    start, end = 0, len(frames)
    if trim_frames:
        start, end = int(frames.argmax()), end - int(frames[::-1].argmax())
    annotation["total_frames"] = end - start
    # Not left out: a second person who is empty is not the same as none.
    order = np.argsort(~persons, kind="stable")[:num_person]
    if end - start == len(frames) and np.array_equal(order, np.arange(len(persons))):
        return
    for key in ("keypoint", "keypoint_score"):
        if key in annotation:
            annotation[key] = annotation[key][order, start:end]
    if "times" in annotation:
        annotation["times"] = np.asarray(annotation["times"])[start:end]
