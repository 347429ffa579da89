"""Feature maps of any order of axes."""

from __future__ import annotations

import re

from einops import EinopsError, rearrange
from torch import Tensor

from gap_mmaction.skeletons import Skeleton

ORDER = "n m c t v"
AXES = tuple(ORDER.split())


def names_of(axes: str, needed: str, where: str = "axes") -> list[str]:
    """Returns the names of axes in their order; a ValueError if they are wrong."""
    parts = re.findall(r"\([^()]*\)|[^\s()]+|[()]", axes)
    names = [name for part in parts for name in part.strip("()").split()]
    wrong = [name for name in names if name not in AXES or names.count(name) > 1]
    wrong += [f"no {name}" for name in needed if name not in names]
    wrong += [part for part in parts if part in ("(", ")")]
    if wrong:
        raise ValueError(
            f"{where}={axes!r} is wrong ({wrong[0]!r}); write n (clips), m "
            "(persons), c (channels), t (frames), v (joints) once each, apart by "
            "spaces, merged ones in parentheses. Maps keep n, c and v: parts are "
            "pooled from the joints, so take a layer before they are averaged"
        )
    return names


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
    names = names_of(axes, "ncv")
    target = " ".join(name if name in names else "1" for name in AXES)
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
