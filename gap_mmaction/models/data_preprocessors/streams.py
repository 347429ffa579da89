"""The four input streams, computed on a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gap_mmaction.skeletons import Edge, Skeleton, check_stream


def to_bone(joints: Tensor, bones: Sequence[Edge]) -> Tensor:
    """Returns each joint's coordinates ``[..., V, C]`` less its parent's.

    Args:
        joints: ``[..., V, C]``.
        bones: ``(joint, parent)``, one pair per joint.
    """
    return joints - _of_parents(joints, bones)


def to_motion(x: Tensor) -> Tensor:
    """Returns the steps ``[..., T, V, C]`` to the next frame; the last is zero."""
    motion = torch.zeros_like(x)
    motion[..., :-1, :, :] = x[..., 1:, :, :] - x[..., :-1, :, :]
    return motion


def stream_of_scores(scores: Tensor, stream: str, bones: Sequence[Edge]) -> Tensor:
    """Returns the confidence ``[..., T, V, S]`` that belongs to a stream.

    That of a bone is the mean of its two ends', that of a motion the mean of its two
    frames' (zero in the last one), as in mmaction2's ``JointToBone`` and ``ToMotion``.

    Args:
        scores: Confidence ``[..., T, V, S]`` of the joints, S columns of it.
        stream: ``'joint'``, ``'bone'``, ``'joint-motion'`` or ``'bone-motion'``.
        bones: ``(joint, parent)``, one pair per joint.
    """
    if stream.startswith("bone"):
        scores = (scores + _of_parents(scores, bones)) / 2
    if stream.endswith("motion"):
        means = torch.zeros_like(scores)
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
    """Turns joint coordinates into one of the four streams, bones before motion.

    Args:
        joints: ``[..., T, V, C]``.
        stream: ``'joint'``, ``'bone'``, ``'joint-motion'`` or ``'bone-motion'``.
        bones: ``(joint, parent)``, one pair per joint.
        matrix: ``[V, V]`` of :func:`hierarchy_matrix`, multiplied with the joints of
            any stream instead of taking the bones.
        num_coordinates: How many of the C columns are coordinates; further ones are
            confidence. By default all of them.

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
    x = joints
    if matrix is not None:
        x = matrix.to(joints) @ joints
    elif stream.startswith("bone"):
        x = to_bone(joints, bones)
    return to_motion(x) if stream.endswith("motion") else x


def hierarchy_matrix(
    skeleton: Skeleton, power: int = 1, reverse: bool = False
) -> Tensor:
    """Returns the matrix ``I - A^k`` by which GAP's public code makes bones of joints.

    A is the adjacency of the bones' tree, rooted in the layout's ``hierarchy_root``. A
    joint becomes its coordinates less those of the joint k steps towards the root; the
    root and joints fewer than k steps from it keep theirs.

    Args:
        skeleton: The joint layout.
        power: k; 0 gives the identity, as in the public code.
        reverse: Whether edges point the other way, as in the public code for NW-UCLA:
            less the sum of the joints k steps further out.

    Returns:
        ``[V, V]``, float32; row v says what joint v becomes.

    Raises:
        ValueError: If ``power`` is negative.
    """
    if power < 0:
        raise ValueError(f"hierarchy_power={power}, must be >= 0")
    identity = torch.eye(skeleton.num_joints)
    if power == 0:
        return identity
    adjacency = torch.zeros_like(identity)
    for joint, parent in skeleton.hierarchy:
        adjacency[joint, parent] = 1
    if reverse:
        adjacency = adjacency.T
    return identity - torch.linalg.matrix_power(adjacency, power)


def _of_parents(values: Tensor, bones: Sequence[Edge]) -> Tensor:
    """Returns at each joint the values ``[..., V, C]`` of its parent."""
    return values[..., [parent for _, parent in sorted(bones)], :]
