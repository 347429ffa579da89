"""PartColours: joints by part, overlaps, and layouts of one's own."""

from __future__ import annotations

import pytest

from gap_mmaction.skeletons import get_skeleton, layouts
from gap_mmaction.visualization.part_colours import NO_PART, USUAL_PARTS, PartColours


@pytest.mark.parametrize("layout", layouts())
def test_every_joint_has_the_colour_of_a_part_that_it_is_in(layout: str) -> None:
    skeleton = get_skeleton(layout)
    colours = PartColours.of(skeleton)
    assert tuple(colours.parts) == USUAL_PARTS
    assert len(set(colours.parts.values())) == len(USUAL_PARTS)
    for joint, colour in enumerate(colours.joints):
        own = [p for p, c in colours.parts.items() if joint in skeleton.part(p)]
        assert [p for p in own if colours.parts[p] == colour], (joint, own)
    assert [bone[:2] for bone in colours.bones] == list(skeleton.edges)
    assert all(colours.joints[child] == c for child, _, c in colours.bones)


def test_smaller_parts_are_over_larger_ones() -> None:
    """Joint 12, a hip, is in the leg as well; joint 1 is in none of these."""
    skeleton = get_skeleton("nw-ucla")
    for parts in (["leg-foot", "hip"], ["hip", "leg-foot", "global"]):
        colours = PartColours.of(skeleton, parts)
        assert "global" not in colours.parts
        assert colours.joints[12] == colours.parts["hip"]
        assert colours.joints[13] == colours.parts["leg-foot"]
        assert colours.joints[3] == NO_PART


def test_own_layout() -> None:
    skeleton = get_skeleton(
        dict(joints=["root", "tip"], inward=[(1, 0)], center=0, parts={"tip": ["tip"]})
    )
    colours = PartColours.of(skeleton)
    assert list(colours.parts) == ["tip"]
    assert colours.joints == (NO_PART, colours.parts["tip"])
    with pytest.raises(ValueError, match="has no part 'head'"):
        PartColours.of(skeleton, ["head"])
