"""The four input streams, computed on a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gap_mmaction.skeletons import Edge, check_stream


def to_bone(joints: Tensor, bones: Sequence[Edge]) -> Tensor:
    """Turn joint coordinates into bone vectors.

    Args:
        joints: ``[..., V, C]``.
        bones: ``(joint, parent)``, one pair per joint.

    Returns:
        ``[..., V, C]``; at each joint its coordinates less its parent's.
    """
    return joints - _of_parents(joints, bones)


def to_motion(x: Tensor) -> Tensor:
    """Turn positions into steps from each frame to the next.

    Args:
        x: ``[..., T, V, C]``.

    Returns:
        ``[..., T, V, C]``; the last frame is zero.
    """
    motion = x.new_zeros(x.shape)
    motion[..., :-1, :, :] = x[..., 1:, :, :] - x[..., :-1, :, :]
    return motion


def stream_of_scores(scores: Tensor, stream: str, bones: Sequence[Edge]) -> Tensor:
    """Give the confidence that belongs to a stream.

    That of a bone is the mean of its two ends', that of a motion the mean of its two
    frames', as in mmaction2's ``JointToBone`` and ``ToMotion``.

    Args:
        scores: Confidence ``[..., T, V, S]`` of the joints, S columns of it.
        stream: ``'joint'``, ``'bone'``, ``'joint-motion'`` or ``'bone-motion'``.
        bones: ``(joint, parent)``, one pair per joint.

    Returns:
        ``[..., T, V, S]``; the last frame of a motion is zero.
    """
    if stream.startswith("bone"):
        scores = (scores + _of_parents(scores, bones)) / 2
    if stream.endswith("motion"):
        means = scores.new_zeros(scores.shape)
        means[..., :-1, :, :] = (scores[..., :-1, :, :] + scores[..., 1:, :, :]) / 2
        scores = means
    return scores


def to_stream(
    joints: Tensor,
    stream: str,
    bones: Sequence[Edge],
    matrix: Tensor | None = None,
    num_coordinates: int | None = None,
) -> Tensor:
    """Turn joint coordinates into one of the four streams.

    Bones before motion, both after the frames were chosen, as in the code of GAP and
    CTR-GCN.

    Args:
        joints: ``[..., T, V, C]``.
        stream: ``'joint'``, ``'bone'``, ``'joint-motion'`` or ``'bone-motion'``.
        bones: ``(joint, parent)``, one pair per joint.
        matrix: ``[V, V]``, multiplied with the joints instead of taking the bones,
            whatever the stream, see :func:`.hierarchy.hierarchy_matrix`.
        num_coordinates: How many of the C columns are coordinates; further ones are
            confidence, see :func:`stream_of_scores`. By default all of them.

    Returns:
        ``[..., T, V, C]``.

    Raises:
        ValueError: If the stream is unknown.
    """
    check_stream(stream)
    if num_coordinates is not None and num_coordinates < joints.shape[-1]:
        positions = to_stream(joints[..., :num_coordinates], stream, bones, matrix)
        scores = stream_of_scores(joints[..., num_coordinates:], stream, bones)
        return torch.cat([positions, scores], dim=-1)
    if matrix is not None:
        x = matrix.to(joints) @ joints
    else:
        x = to_bone(joints, bones) if stream.startswith("bone") else joints
    return to_motion(x) if stream.endswith("motion") else x


def _of_parents(values: Tensor, bones: Sequence[Edge]) -> Tensor:
    """Give at each joint the values ``[..., V, C]`` of its parent."""
    return values[..., [parent for _, parent in sorted(bones)], :]
