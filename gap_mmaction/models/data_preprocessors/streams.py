"""The four input streams, computed on a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gap_mmaction.skeletons import Edge, Skeleton, check_stream


def to_stream(
    joints: Tensor,
    stream: str,
    bones: Sequence[Edge],
    matrix: Tensor | None = None,
    num_coordinates: int | None = None,
) -> Tensor:
    """Turns joint coordinates into one of the four streams, bones before motion.

    A bone is a joint less its parent, a motion the step to the next frame (zero in the
    last one). The confidence of a bone is the mean of its two ends', that of a motion
    the mean of its two frames', as in mmaction2's ``JointToBone`` and ``ToMotion``.

    ``joints`` are ``[..., T, V, C]``, of which ``num_coordinates`` columns (by default
    all) are coordinates, the others confidence; ``bones`` are ``(joint, parent)``, one
    per joint. A ``matrix`` ``[V, V]`` of :func:`hierarchy_matrix` is multiplied with
    the joints of any stream instead of taking the bones.
    """
    check_stream(stream)
    positions, scores = joints[..., :num_coordinates], None
    if num_coordinates is not None and num_coordinates < joints.shape[-1]:
        scores = joints[..., num_coordinates:]
    parents = [parent for _, parent in sorted(bones)]
    if matrix is not None:
        # No matrix product: mixed precision and TensorFloat32 would round the joints,
        # of which short bones and motions are small differences.
        positions = (matrix.to(joints)[..., None] * positions[..., None, :, :]).sum(-2)
    if stream.startswith("bone"):
        if matrix is None:
            positions = positions - positions[..., parents, :]
        if scores is not None:
            scores = (scores + scores[..., parents, :]) / 2
    if stream.endswith("motion"):
        positions = _to_next_frame(positions, -1)
        if scores is not None:
            scores = _to_next_frame(scores, 1) / 2
    return positions if scores is None else torch.cat([positions, scores], dim=-1)


def _to_next_frame(x: Tensor, sign: int) -> Tensor:
    """Returns the next frame's values plus or less the frame's; zero in the last."""
    result = torch.zeros_like(x)
    result[..., :-1, :, :] = x[..., 1:, :, :].add(x[..., :-1, :, :], alpha=sign)
    return result


def hierarchy_matrix(
    skeleton: Skeleton, power: int = 1, reverse: bool = False
) -> Tensor:
    """Returns the matrix ``I - A^k`` by which GAP's public code makes bones of joints.

    A is the adjacency of the bones' tree, rooted in the layout's ``hierarchy_root``. A
    joint becomes its coordinates less those of the joint k steps towards the root; the
    root and joints fewer than k steps from it keep theirs.

    ``power`` is k; 0 gives the identity, as in the public code. With ``reverse`` edges
    point the other way, as there for NW-UCLA: less the sum of the joints k steps
    further out. Row v of the matrix ``[V, V]`` says what joint v becomes.
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
