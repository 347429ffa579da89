"""From the cosines of several slots to one score for each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def combine_slots(
    cosines: np.ndarray, weights: Sequence[float] | None = None
) -> np.ndarray:
    r"""Take the weighted mean of the slots' cosines.

    The loss of GAP compares each slot by :math:`\mathrm{softmax}(\cos / \tau)` with
    one :math:`\tau` for all slots (paper, eq. 4) and adds the slots up. The product of
    these distributions, renormalized, is the softmax of the sum of the cosines: the
    mean of the cosines decides as all slots' distributions together do, without a
    temperature to be chosen, and one number can be subtracted from it in calibrated
    stacking.

    Args:
        cosines: ``[N, K, C]``, K slots.
        weights: One for each slot, not negative; all alike by default.

    Returns:
        ``[N, C]``, float64.

    Raises:
        ValueError: If the weights are not one for each slot, or all zero.
    """
    slots = cosines.shape[1]
    given = np.ones(slots) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (slots,):
        raise ValueError(f"{given.size} weights for {slots} slots: give one for each")
    if not (np.isfinite(given).all() and (given >= 0).all() and given.any()):
        raise ValueError(
            f"the weights {given.tolist()} must be 0 or more, and one of them above 0"
        )
    mean: np.ndarray = np.einsum("nkc,k->nc", cosines, given / given.sum())
    return mean
