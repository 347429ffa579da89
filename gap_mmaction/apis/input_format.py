"""What a config wants of a sequence, and whether a sequence has it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gap_mmaction.skeletons import Skeleton, get_skeleton
from gap_mmaction.utils.loader_data import find_test_pipeline

_AXES = 4
_AXIS_NAMES = "[M, T, V, C] (persons, frames, joints, columns)"


@dataclass(frozen=True)
class InputFormat:
    """What a config's pipeline and backbone take.

    Attributes:
        skeleton: The joint layout.
        num_coordinates: Columns of ``keypoint``: coordinates of a joint.
        has_score: Whether a confidence ``keypoint_score`` goes with them.
        needs_img_shape: Whether coordinates are scaled by the size of the picture.
    """

    skeleton: Skeleton
    num_coordinates: int
    has_score: bool
    needs_img_shape: bool

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> InputFormat:
        """Read it from a whole config.

        Raises:
            ValueError: If the config has no test pipeline, or an unknown layout.
        """
        model = config["model"]
        layout = (model.get("data_preprocessor") or {}).get("layout")
        if layout is None:
            layout = (model["backbone"].get("graph_cfg") or {}).get("layout")
        if layout is None:
            raise ValueError(
                "the config names no joint layout; set model.data_preprocessor="
                "dict(type='SkeletonDataPreprocessor', layout=...)"
            )
        pipeline = find_test_pipeline(config)
        if pipeline is None:
            raise ValueError(
                "the config has no test pipeline; set test_dataloader.dataset.pipeline"
            )
        skeleton = get_skeleton(layout)
        channels = model["backbone"].get("in_channels", 3)
        coordinates = min(skeleton.num_coordinates, channels)
        scaled = any(
            _type_of(step) == "PreNormalize2D" and "img_shape" not in step
            for step in pipeline
        )
        return cls(skeleton, coordinates, channels > coordinates, scaled)

    @property
    def num_columns(self) -> int:
        """Columns of an array: the coordinates, and the confidence if there is one."""
        return self.num_coordinates + self.has_score

    def __str__(self) -> str:
        columns = " ".join("xyz"[: self.num_coordinates])
        if self.has_score:
            columns += " and a confidence"
        return (
            f"layout {self.skeleton.name!r} of the config: {self.skeleton.num_joints} "
            f"joints with {columns}"
        )

    def read_array(self, values: Any, name: str) -> dict[str, Any]:
        """Turn an array into an annotation.

        Args:
            values: ``[T, V, C]`` of one person or ``[M, T, V, C]``, numbers; C is
                :attr:`num_columns`.
            name: The sequence's name.

        Returns:
            ``frame_dir``, ``keypoint`` and, if there is one, ``keypoint_score``.

        Raises:
            ValueError: If it is of another shape or type.
        """
        array = _to_numbers(values, f"{name}: the array")
        if array.ndim == _AXES - 1:
            array = array[None]
        wanted = (self.skeleton.num_joints, self.num_columns)
        if array.ndim != _AXES or array.shape[2:] != wanted:
            raise ValueError(
                f"{name}: the array has shape {list(np.shape(values))}; expected "
                f"[T, {wanted[0]}, {wanted[1]}] or [M, T, {wanted[0]}, {wanted[1]}], "
                f"M persons and T frames ({self})"
            )
        annotation: dict[str, Any] = {
            "frame_dir": name,
            "keypoint": array[..., : self.num_coordinates],
        }
        if self.has_score:
            annotation["keypoint_score"] = array[..., self.num_coordinates]
        return annotation

    def complete(
        self,
        annotation: Mapping[str, Any],
        name: str,
        img_shape: tuple[int, int] | None = None,
    ) -> dict[str, Any]:
        """Check an annotation and add what a pipeline needs.

        Args:
            annotation: ``keypoint`` ``[M, T, V, C]``, with ``keypoint_score``
                ``[M, T, V]`` where the config wants it; further keys are kept.
            name: The sequence's name, for messages.
            img_shape: Height and width of the picture, if the annotation does not have
                it.

        Returns:
            A new annotation with arrays of its own, ``label`` -1.

        Raises:
            ValueError: If it does not fit; the message has the name and what is wanted.
        """
        if annotation.get("keypoint") is None:
            raise ValueError(
                f"{name}: has no 'keypoint', its keys are "
                f"{sorted(map(str, annotation))}; expected an array {_AXIS_NAMES}"
            )
        keypoint = _to_numbers(annotation["keypoint"], f"{name}: 'keypoint'")
        self._check_shape(keypoint, name)
        frames = annotation.get("total_frames", keypoint.shape[1])
        if not np.array_equal(frames, keypoint.shape[1]):
            raise ValueError(
                f"{name}: total_frames is {frames!r}, but 'keypoint' has "
                f"{keypoint.shape[1]} frames; correct 'total_frames'"
            )
        _check_finite(keypoint, name, "keypoint")
        if not keypoint.any():
            raise ValueError(f"{name}: nobody is there, every coordinate is zero")
        # 'start_index' and 'modality' are what BaseActionDataset would add.
        complete = {
            **{key: value for key, value in annotation.items() if value is not None},
            **{"frame_dir": name, "label": -1, "total_frames": keypoint.shape[1]},
            **{"start_index": 0, "modality": "Pose", "keypoint": keypoint},
        }
        complete.pop("keypoint_score", None)
        if self.has_score:
            complete["keypoint_score"] = self._read_score(annotation, keypoint, name)
        if self.needs_img_shape:
            complete["img_shape"] = _read_img_shape(
                complete.get("img_shape", img_shape), name
            )
        return complete

    def _check_shape(self, keypoint: npt.NDArray[Any], name: str) -> None:
        joints, columns = self.skeleton.num_joints, self.num_coordinates
        shape = list(keypoint.shape)
        if len(shape) != _AXES:
            raise ValueError(
                f"{name}: 'keypoint' has shape {shape}, expected {_AXIS_NAMES}"
            )
        for axis, what in enumerate(("person", "frames")):
            if shape[axis] == 0:
                raise ValueError(
                    f"{name}: a sequence with no {what} ('keypoint' has shape {shape})"
                )
        if shape[2] != joints:
            raise ValueError(
                f"{name}: 'keypoint' has {shape[2]} joints (shape {shape}), {self}. "
                "Give data of this layout, or a config and checkpoint of another one"
            )
        if shape[3] != columns:
            score = ", the confidence goes into 'keypoint_score'"
            raise ValueError(
                f"{name}: 'keypoint' has {shape[3]} columns (shape {shape}), expected "
                f"{columns}{score if self.has_score else ''} ({self})"
            )

    def _read_score(
        self, annotation: Mapping[str, Any], keypoint: npt.NDArray[Any], name: str
    ) -> npt.NDArray[Any]:
        if annotation.get("keypoint_score") is None:
            raise ValueError(
                f"{name}: has no 'keypoint_score' [M, T, V], the confidence of each "
                f"joint ({self}); where none is known, give ones"
            )
        score = _to_numbers(annotation["keypoint_score"], f"{name}: 'keypoint_score'")
        if score.shape != keypoint.shape[:-1]:
            raise ValueError(
                f"{name}: 'keypoint_score' has shape {list(score.shape)}, 'keypoint' "
                f"{list(keypoint.shape)}; expected {list(keypoint.shape[:-1])}"
            )
        _check_finite(score, name, "keypoint_score")
        return score


def _type_of(step: Any) -> str:
    kind = step.get("type") if isinstance(step, Mapping) else type(step)
    return kind if isinstance(kind, str) else getattr(kind, "__name__", "")


def _to_numbers(values: Any, what: str) -> npt.NDArray[Any]:
    """Copy numbers into an array of floats, of the precision they have."""
    if hasattr(values, "detach"):  # a tensor
        values = values.detach().cpu().numpy()
    try:
        array = np.array(values)
    except ValueError as error:  # lists of unequal length
        raise ValueError(f"{what} is ragged ({error})") from error
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{what} is of type {array.dtype}, expected numbers")
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def _check_finite(values: npt.NDArray[Any], name: str, key: str) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        person, frame, joint, *_ = np.argwhere(bad)[0]
        raise ValueError(
            f"{name}: '{key}' is not finite at person {person}, frame {frame}, joint "
            f"{joint} (0-based; {int(bad.sum())} such values in all); repair the "
            "sequence"
        )


def _read_img_shape(shape: Any, name: str) -> tuple[int, int]:
    if shape is None:
        raise ValueError(
            f"{name}: the size of the picture is not known, by which the config scales "
            "coordinates in pixels; give img_shape, (height, width), or --img-shape"
        )
    numbers = np.ravel(shape)
    if (
        numbers.dtype.kind not in "iuf"
        or len(numbers) != 2
        or not (np.isfinite(numbers) & (numbers > 0)).all()
    ):
        raise ValueError(f"{name}: img_shape is {shape!r}, expected (height, width)")
    return int(numbers[0]), int(numbers[1])


def name_of_input(source: Any, index: int) -> str:
    """Name an input in messages and results: its path, or its number."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return f"input {index}"
