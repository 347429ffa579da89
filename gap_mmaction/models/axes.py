"""Feature maps of any order of axes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from einops import EinopsError, rearrange
from torch import Tensor

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
    x: Tensor, axes: str, sizes: Mapping[str, int], where: str = "axes"
) -> Tensor:
    """Returns a feature map as ``[N, M, C, T, V]``.

    Args:
        x: Features of any order of axes.
        axes: Their names in einops' notation, such as ``"(n m) c t v"``: n clips, m
            persons, c channels, t frames and v joints. Without m there is one person,
            without t one frame.
        sizes: Those that are known, of v at least: the joints of the layout.
        where: What the map is of, for errors.

    Raises:
        ValueError: If the axes are unknown or do not fit.
    """
    names = names_of(axes, "ncv", where)
    sizes = {name: size for name, size in sizes.items() if name in names}
    target = " ".join(name if name in names else "1" for name in AXES)
    try:
        return rearrange(x, f"{axes} -> {target}", **sizes).contiguous()
    except EinopsError as error:
        raise ValueError(
            f"{where}={axes!r} with {sizes} do not fit a map {list(x.shape)} "
            f"({str(error).splitlines()[-1].strip()}). Set axes to the map's. Where it "
            f"has not the layout's {sizes['v']} joints any more, take an earlier "
            "layer; where persons are merged with clips, or others than the input's, "
            "say how many: m=2 (GAPLoss), sizes=dict(m=2) (FeatureHook)"
        ) from error
