"""Which classes are trained on, and which are not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassSplit:
    """The classes of a data set, seen and unseen.

    ``unseen`` are those that are not trained on, 0-based, in order: none where the
    unseen ones are those of other data sets.

    Raises:
        ValueError: If one is no class or there twice, or one alone is unseen or
            fewer than two seen, where naming them would be no choice.
    """

    num_classes: int
    unseen: tuple[int, ...]

    def __post_init__(self) -> None:
        """Sorts and checks."""
        unseen = tuple(sorted(self.unseen))
        object.__setattr__(self, "unseen", unseen)
        last = self.num_classes - 1
        if len({*range(last + 1)} & {*unseen}) < len(unseen):
            shown = f"the unseen classes {list(unseen)}"
            raise ValueError(f"{shown} must be different ones of 0 to {last}")
        if unseen and not 2 <= len(unseen) < last:
            shown = f"{len(unseen)} unseen classes of {last + 1}"
            raise ValueError(f"{shown}: at least 2 must be unseen and 2 seen")

    @property
    def seen(self) -> tuple[int, ...]:
        """The classes that are trained on; their places are the labels in training."""
        return tuple(c for c in range(self.num_classes) if c not in self.unseen)

    @property
    def is_seen(self) -> np.ndarray:
        """Whether each class is trained on, bool ``[C]``."""
        return ~np.isin(np.arange(self.num_classes), self.unseen)

    @property
    def name(self) -> str:
        """A name for files."""
        return "unseen-" + ("-".join(map(str, self.unseen)) or "none")


def draw_splits(
    num_classes: int, count: int, num_unseen: int, seed: int = 0
) -> list[ClassSplit]:
    """Draws ``count`` different splits; classes are unseen as evenly as can be.

    The classes are shuffled and cut into groups, each the unseen ones of a split, until
    there are too few left for a group; then they are shuffled again. More splits of the
    same seed begin with the same ones.

    Raises:
        ValueError: If there are not so many, or a split is not possible.
    """
    possible = math.comb(num_classes, num_unseen)
    if not 1 <= count <= possible:
        asked = f"{count} splits with {num_unseen} of {num_classes} classes unseen"
        raise ValueError(f"{asked}: there are {possible:,}")
    rng = np.random.default_rng(seed)
    found: dict[ClassSplit, None] = {}
    while len(found) < count:
        order = rng.permutation(num_classes).tolist()
        for start in range(0, num_classes - num_unseen + 1, num_unseen):
            split = ClassSplit(num_classes, tuple(order[start : start + num_unseen]))
            found.setdefault(split)
    return list(found)[:count]
