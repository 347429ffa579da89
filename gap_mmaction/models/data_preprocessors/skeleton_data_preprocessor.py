"""SkeletonDataPreprocessor: the one place where a config says layout and stream."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmengine.logging import print_log
from torch import Tensor

from gap_mmaction.skeletons import Layout, check_stream, get_skeleton
from gap_mmaction.utils.brief import name_of_sample
from gap_mmaction.utils.sending import send

from .streams import hierarchy_matrix, to_stream

BONE_FORMS = ("difference", "hierarchy")

# A clip of less extent, as a share of its distance from the origin, is a point.
_DULL = 0.01
# The data are taken for those of another unit where their scale differs by more.
_OTHER_UNIT = 10.0


@MODELS.register_module()
class SkeletonDataPreprocessor(ActionDataPreprocessor):
    """Stacks skeletons to a batch and turns it into one of the four streams.

    One setting reaches training, validation and test alike.

    Bones have two forms. ``'difference'`` is that of CTR-GCN's feeder and of
    mmaction2: joint less parent, zero at the centre. ``'hierarchy'`` is that of GAP's
    public code, by which the paper's configs are made: every stream is
    ``(I - A^k) x``, with the k and the direction of the edges that the layout names:

    * ``nturgb+d``: k = 8 for joints, which is the identity, and 1 for bones, where
      joint 1, the root, keeps its coordinates and joint 20 has its bone turned round.
    * ``nw-ucla``: the edges point outwards, so that with k = 1 a bone is a joint less
      the *sum* of its children; k = 6 for joints.
    * Other layouts: joints stay as they are, k = 1 for bones.

    Args:
        layout: The joint layout of the data, a name or a dict.
        stream: ``'joint'``, ``'bone'``, ``'joint-motion'`` or ``'bone-motion'``.
        bone_form: ``'difference'`` or ``'hierarchy'``.
        hierarchy_power: k of the hierarchy's matrix, by default the layout's.
        hierarchy_reverse: Whether its edges point outwards, by default the layout's.

    Attributes:
        input_scale: Root mean square of the joints in training, if it is known; the
            first batch is compared with it. Checkpoints have it in their meta.
    """

    matrix: Tensor | None

    def __init__(
        self,
        layout: Layout,
        stream: str = "joint",
        bone_form: str = "difference",
        hierarchy_power: int | None = None,
        hierarchy_reverse: bool | None = None,
    ) -> None:
        super().__init__()
        self.input_scale: float | None = None
        self._is_first_batch = True
        check_stream(stream)
        self.skeleton = get_skeleton(layout)
        self.stream = stream
        if bone_form not in BONE_FORMS:
            raise ValueError(
                f"model.data_preprocessor.bone_form={bone_form!r}: use {BONE_FORMS}"
            )
        matrix = None
        if bone_form == "hierarchy":
            is_bone = stream.startswith("bone")
            if hierarchy_power is None:
                hierarchy_power = self.skeleton.hierarchy_powers[is_bone]
            if hierarchy_reverse is None:
                hierarchy_reverse = self.skeleton.hierarchy_reverse
            matrix = hierarchy_matrix(self.skeleton, hierarchy_power, hierarchy_reverse)
            if not is_bone and torch.equal(matrix, torch.eye(len(matrix))):
                matrix = None
        elif hierarchy_power is not None or hierarchy_reverse is not None:
            raise ValueError(
                "model.data_preprocessor: hierarchy_power and hierarchy_reverse need "
                f"bone_form='hierarchy', it is {bone_form!r}"
            )
        # A buffer, to be where the data are; no part of checkpoints.
        self.register_buffer("matrix", matrix, persistent=False)

    def cast_data(self, data: Any) -> Any:
        """Leaves a batch where it is; :meth:`preprocess` sends the clips as one."""
        if isinstance(data, Mapping):
            return dict(data)
        is_list = isinstance(data, (list, tuple))
        return [self.cast_data(part) for part in data] if is_list else data

    def preprocess(
        self, inputs: list[Tensor], data_samples: Any, training: bool = False
    ) -> tuple[Tensor, Any]:
        """Stacks samples ``[clips, M, T, V, C]`` and computes the stream."""
        # Stacking would fill up with zeros.
        shapes = {tuple(sample.shape): i for i, sample in enumerate(inputs)}
        if len(shapes) > 1:
            names = [name_of_sample(data_samples[i]) for i in shapes.values()]
            raise ValueError(
                f"a batch has samples of the shapes {list(map(list, shapes))} [clips, "
                f"persons, frames, joints, columns], such as {names}: let the pipeline "
                "and the annotations make them alike"
            )
        batch = torch.stack(inputs).float()
        joints = batch.shape[-2]
        if joints != self.skeleton.num_joints:
            raise ValueError(
                f"the data have {joints} joints, model.data_preprocessor.layout="
                f"{self.skeleton.name!r} has {self.skeleton.num_joints}"
            )
        if self._is_first_batch:
            self._is_first_batch = False
            places = batch[..., : self.skeleton.num_coordinates]
            _warn_of_dull_clips(places, data_samples or [None] * len(batch))
            self.input_scale = _check_scale(places, self.input_scale)
        return self.to_stream(send(batch, self.device)), data_samples

    def to_stream(self, joints: Tensor) -> Tensor:
        """Returns the stream ``[..., T, V, C]`` of joints of that shape."""
        bones, coordinates = self.skeleton.bones, self.skeleton.num_coordinates
        return to_stream(joints, self.stream, bones, self.matrix, coordinates)


def _warn_of_dull_clips(joints: Tensor, data_samples: Sequence[Any]) -> None:
    """Warns of clips ``[clips, M, T, V, C]`` that are zeros or a single point."""
    dull = []
    for clip, sample in zip(joints, data_samples):
        there = clip[clip.any(dim=-1)]
        extent = (there.amax(0) - there.amin(0)).max() if len(there) else 0.0
        if not len(there) or extent <= _DULL * there.abs().max():
            dull.append(name_of_sample(sample))
    if dull:
        print_log(
            f"{len(dull)} of {len(joints)} clips of the first batch reach the model as "
            f"zeros or as one point: {', '.join(sorted(set(dull))[:5])}. Look at these "
            "sequences and at the pipeline (are 2D data in pixels, of this img_shape?)",
            "current",
            logging.WARNING,
        )


def _check_scale(joints: Tensor, known: float | None) -> float | None:
    """Returns the root mean square of the joints, or what was known to be like it."""
    there = joints[joints.any(dim=-1)]
    if not len(there):
        return known
    scale = float(there.float().square().mean().sqrt())
    if known is None:
        return scale
    if 1 / _OTHER_UNIT <= scale / known <= _OTHER_UNIT:
        return known
    print_log(
        f"the joints of the first batch have a root mean square of {scale:.3g} where "
        f"the checkpoint was trained with {known:.3g}: another unit (millimetres for "
        "metres), or another pipeline? If so, the scores mean nothing",
        "current",
        logging.WARNING,
    )
    return scale
