"""SkeletonDataPreprocessor: the one place where a config says layout and stream."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS

from gap_mmaction.skeletons import Layout, check_stream, get_skeleton

from .streams import to_stream


@MODELS.register_module()
class SkeletonDataPreprocessor(ActionDataPreprocessor):
    """Stack skeletons to a batch and turn it into one of the four streams.

    A stream is made here, on the whole batch and on its device, rather than in the
    pipeline: one setting, ``model.data_preprocessor.stream``, reaches training,
    validation and test alike.

    Args:
        layout: The joint layout of the data, a name or a dict.
        stream: ``'joint'``, ``'bone'``, ``'joint-motion'`` or ``'bone-motion'``.

    Raises:
        ValueError: If the layout or the stream is unknown.
    """

    def __init__(self, layout: Layout, stream: str = "joint") -> None:
        super().__init__()
        check_stream(stream)
        self.skeleton = get_skeleton(layout)
        self.stream = stream

    def preprocess(
        self, inputs: list[torch.Tensor], data_samples: Any, training: bool = False
    ) -> tuple[torch.Tensor, Any]:
        """Stack samples ``[clips, M, T, V, C]`` and compute the stream.

        Raises:
            ValueError: If the samples have another number of joints than the layout.
        """
        batch, data_samples = super().preprocess(inputs, data_samples, training)
        joints = batch.shape[-2]
        if joints != self.skeleton.num_joints:
            raise ValueError(
                f"the data have {joints} joints, layout {self.skeleton.name!r} of "
                f"model.data_preprocessor has {self.skeleton.num_joints}: set the "
                "layout of the data"
            )
        return to_stream(batch, self.stream, self.skeleton.bones), data_samples
