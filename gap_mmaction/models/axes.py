"""Feature maps of any order of axes."""

from __future__ import annotations

import re

from einops import EinopsError, rearrange
from torch import Tensor

from gap_mmaction.skeletons import Skeleton

ORDER = "n m c t v"
_NEEDED, _KNOWN = {"n", "c", "v"}, set(ORDER.split())


def to_feature_map(
    x: Tensor, axes: str, skeleton: Skeleton, persons: int | None = None
) -> Tensor:
    """Returns a feature map as ``[N, M, C, T, V]``.

    Args:
        x: Features of any order of axes.
        axes: Their names in einops' notation, such as ``"(n m) c t v"``: n clips, m
            persons, c channels, t frames and v joints. Without m there is one person,
            without t one frame.
        skeleton: The layout, which has as many joints as the map.
        persons: How many of them, where m is merged with n.

    Raises:
        ValueError: If the axes are unknown or do not fit, or joints are missing.
    """
    names = re.findall(r"\w+", axes)
    if set(names) - _KNOWN or _NEEDED - set(names) or len(names) != len(set(names)):
        raise ValueError(
            f"axes={axes!r}: name n, c and v once each, and m and t if they are there"
        )
    target = " ".join(name if name in names else "1" for name in ORDER.split())
    merged = {"m": persons} if persons is not None and "m" in names else {}
    try:
        found = rearrange(x, f"{axes} -> {target}", **merged)
    except EinopsError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ValueError(
            f"axes={axes!r} do not fit a feature map of the shape {list(x.shape)} "
            f"({reason}); where m is merged with n, say how many: m=2"
        ) from error
    if found.shape[-1] != skeleton.num_joints:
        raise ValueError(
            f"the feature map {list(x.shape)} has {found.shape[-1]} joints by axes="
            f"{axes!r}, the layout {skeleton.name!r} {skeleton.num_joints}; take the "
            "map before its joints are pooled, and the layout of the data"
        )
    return found
