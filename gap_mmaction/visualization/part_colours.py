"""PartColours: which colour each joint and bone of a layout has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gap_mmaction.skeletons import GLOBAL_PART, Skeleton

# Okabe and Ito's palette, which most colour-blind people can tell apart.
PALETTE = (
    *("#0072b2", "#d55e00", "#cc79a7", "#009e73"),
    *("#e69f00", "#56b4e9", "#8c6d31", "#6a51a3"),
)
NO_PART = "#8a8a8a"
"""Colour of joints in no part, and of the part that is the whole body."""

USUAL_PARTS = ("head", "hand-arm", "hip", "leg-foot")
"""The paper's four parts."""


@dataclass(frozen=True)
class PartColours:
    """Colours of a layout by part.

    Attributes:
        parts: The colour of each part, in the order of a legend.
        joints: The colour of each joint.
        bones: ``(joint, other joint, colour)`` of each edge of the layout.
    """

    parts: dict[str, str]
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int, str], ...]

    @classmethod
    def of(cls, skeleton: Skeleton, parts: Sequence[str] | None = None) -> PartColours:
        """Colour a layout.

        Parts overlap: a joint has the colour of the smallest part that it is in, and a
        bone that of its outer end.

        Args:
            skeleton: The layout.
            parts: The parts to tell apart. By default the paper's four, or every part
                of a layout that does not have them.

        Raises:
            ValueError: If the layout has no such part.
        """
        if parts is None:
            has_usual = all(part in skeleton.parts for part in USUAL_PARTS)
            parts = USUAL_PARTS if has_usual else tuple(skeleton.parts)
        chosen = [part for part in dict.fromkeys(parts) if part != GLOBAL_PART]
        colours = {part: PALETTE[i % len(PALETTE)] for i, part in enumerate(chosen)}
        joints = [NO_PART] * skeleton.num_joints
        for part in sorted(chosen, key=lambda name: -len(skeleton.part(name))):
            for joint in skeleton.part(part):
                joints[joint] = colours[part]
        bones = tuple(
            (child, parent, joints[child]) for child, parent in skeleton.edges
        )
        return cls(colours, tuple(joints), bones)
