"""The input transform of GAP's public implementation: bones by a matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from gap_mmaction.skeletons import Skeleton


def hierarchy_matrix(
    skeleton: Skeleton, power: int = 1, reverse: bool = False
) -> Tensor:
    """Make the matrix ``I - A^k`` that turns joints into bones.

    A is the binary adjacency of the bones' tree, rooted in the layout's
    ``hierarchy_root``. Row v of the result says what joint v becomes, ``y[v] = sum_w
    M[v, w] x[w]``: with k = 1 its coordinates less its parent's, with k its coordinates
    less those of the joint k steps towards the root. The root, and joints fewer than k
    steps from it, keep their coordinates.

    Args:
        skeleton: The joint layout.
        power: k; 0 gives the identity, as in the public implementation.
        reverse: Whether edges point the other way, as the public implementation has
            them for NW-UCLA: less the sum of the joints k steps further out.

    Returns:
        ``[V, V]``, float32.

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
