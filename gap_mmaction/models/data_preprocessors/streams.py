"""The four input streams, computed on a batch."""

from __future__ import annotations

from collections.abc import Sequence

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
    parents = [parent for _, parent in sorted(bones)]
    return joints - joints[..., parents, :]


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


def to_stream(
    joints: Tensor, stream: str, bones: Sequence[Edge], matrix: Tensor | None = None
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

    Returns:
        ``[..., T, V, C]``.

    Raises:
        ValueError: If the stream is unknown.
    """
    check_stream(stream)
    if matrix is not None:
        x = matrix.to(joints) @ joints
    else:
        x = to_bone(joints, bones) if stream.startswith("bone") else joints
    return to_motion(x) if stream.endswith("motion") else x
