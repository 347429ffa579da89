"""What a config wants of a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gap_mmaction.datasets.annotation_check import (
    AnnotationCheck,
    persons_taken,
    scales_by_picture,
    to_numbers,
)
from gap_mmaction.skeletons import Skeleton, get_skeleton
from gap_mmaction.skeletons.layouts import find_test_pipeline

_AXES = 4


@dataclass(frozen=True)
class InputFormat(AnnotationCheck):
    """What a config's pipeline and backbone take."""

    skeleton: Skeleton
    num_coordinates: int
    has_score: bool

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> InputFormat:
        """Reads it from a config with a joint layout and a test pipeline."""
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
        backbone = model["backbone"].get("model") or model["backbone"]  # of a hook
        channels = backbone.get("in_channels", 3)
        coordinates = min(skeleton.num_coordinates, channels)
        scaled = any(map(scales_by_picture, pipeline))
        return cls(
            skeleton=skeleton,
            num_coordinates=coordinates,
            has_score=channels > coordinates,
            needs_img_shape=scaled,
            num_person=persons_taken(pipeline),
        )

    @property
    def num_columns(self) -> int:
        """Columns of an array: the coordinates, and the confidence if there is one."""
        return self.num_coordinates + self.has_score

    def read_array(self, values: Any, name: str) -> dict[str, Any]:
        """Turns numbers ``[T, V, C]`` or ``[M, T, V, C]`` into an annotation.

        C is :attr:`num_columns`; a ValueError has the sequence's ``name``.
        """
        array = to_numbers(values, f"{name}: the array")
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
        """Checks an annotation, as training does, and adds what a pipeline needs.

        ``img_shape`` is height and width of the picture, where the annotation has none.
        Returns a new annotation with arrays of its own, ``label`` -1.
        """
        given = dict(annotation)
        if given.get("img_shape") is None:
            given["img_shape"] = img_shape
        try:
            complete = self.read(given)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        # Transforms write into them.
        for key in ("keypoint", "keypoint_score"):
            if key in complete:
                complete[key] = complete[key].copy()
        # 'start_index' and 'modality' are what BaseActionDataset would add.
        more = {"frame_dir": name, "label": -1, "start_index": 0, "modality": "Pose"}
        return {**complete, **more}
