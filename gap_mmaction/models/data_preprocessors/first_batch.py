"""A look at the first batch of a run, as it reaches the model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from torch import Tensor

from gap_mmaction.utils.brief import name_of_sample

_DULL = 0.01
"""Extent of a clip, by its distance from the origin, that a model sees nothing of."""

_OTHER_UNIT = 10.0
"""Times that the scale of the data may be another one than in training."""


def check_first_batch(
    joints: Tensor, data_samples: Sequence[Any], known: float | None
) -> float | None:
    """Warn of clips that are zero or constant, and of data in another unit.

    Args:
        joints: Coordinates ``[B, clips, M, T, V, C]``, before bones or motion are made.
        data_samples: Their data samples, to name them.
        known: The scale of the data that the model was trained with, if it is known.

    Returns:
        The scale, the root mean square of the joints that are there: the known one,
        unless the data have another one; None where nobody is there.
    """
    dull = []
    for clip, sample in zip(joints, data_samples):
        there = clip[clip.any(dim=-1)]
        extent = (there.amax(0) - there.amin(0)).max() if len(there) else 0.0
        if not len(there) or extent <= _DULL * there.abs().max():
            dull.append(name_of_sample(sample))
    if dull:
        _warn(
            f"{len(dull)} of {len(joints)} clips of the first batch reach the model as "
            f"zeros or as one point: {', '.join(sorted(set(dull))[:5])}. Look at these "
            "sequences and at the pipeline (are 2D data in pixels, of this img_shape?)"
        )
    there = joints[joints.any(dim=-1)]
    if not len(there):
        return known
    scale = float(there.float().square().mean().sqrt())
    if known is None:
        return scale
    if 1 / _OTHER_UNIT <= scale / known <= _OTHER_UNIT:
        return known
    _warn(
        f"the joints of the first batch have a root mean square of {scale:.3g} where "
        f"the checkpoint was trained with {known:.3g}: another unit (millimetres for "
        "metres), or another pipeline? If so, the scores mean nothing"
    )
    return scale


def _warn(message: str) -> None:
    print_log(message, "current", logging.WARNING)
