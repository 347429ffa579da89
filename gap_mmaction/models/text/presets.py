"""Named prompt settings, described in docs/descriptions.md: the slots of each."""

from __future__ import annotations

from typing import Any

from .descriptions import PARTS

Slots = tuple[dict[str, Any], ...]

# GAP, Fig. 4.
_PREFIX = ['"{label}", a video of action', '"{label}", this is an action']
_CLOZE = ['This is "{label}", a video of action']
_SUFFIX = ['Human action of "{label}"', 'Playing a kind of action, "{label}"']
_LABEL_NAME = [*_PREFIX, *_CLOZE, *_SUFFIX]


def _whole(*items: Any) -> dict[str, Any]:
    return dict(name="global", joints="global", text=list(items))


def _part(name: str, joints: str, *fields: str) -> dict[str, Any]:
    return dict(name=name, joints=joints, text=["label", *fields])


_TWO_PARTS: Slots = (
    _part("upper", "upper", "head", "hand", "arm"),
    _part("lower", "lower", "hip", "leg", "foot"),
)
_FOUR_PARTS: Slots = (
    _part("head", "head", "head"),
    _part("hand", "hand-arm", "hand", "arm"),
    _part("hip", "hip", "hip"),
    _part("foot", "leg-foot", "leg", "foot"),
)
_SIX_PARTS: Slots = tuple(_part(name, name, name) for name in PARTS)
_SYNONYM = _whole("synonyms")
# All six sentences are too long for CLIP: one half of the body, drawn anew every time.
_BODY_PARTS = _whole("label", ["{head}, {hand}, {arm}", "{hip}, {leg}, {foot}"])
_MIXED = _whole([*_LABEL_NAME, "synonyms", "paragraph", "manual"])

PRESETS: dict[str, Slots] = {
    # The default: a synonym for the whole body, a description for each of four parts.
    "synonym+parts4": (_SYNONYM, *_FOUR_PARTS),
    "synonym+parts2": (_SYNONYM, *_TWO_PARTS),
    "synonym+parts6": (_SYNONYM, *_SIX_PARTS),
    # The part descriptions alone.
    "parts": (_BODY_PARTS,),
    "parts2": (_BODY_PARTS, *_TWO_PARTS),
    "parts4": (_BODY_PARTS, *_FOUR_PARTS),
    "parts6": (_BODY_PARTS, *_SIX_PARTS),
    # One text for the whole body.
    "label": (_whole("label"),),
    "label-name": (_whole(_LABEL_NAME),),
    "label-name-prefix": (_whole(_PREFIX),),
    "label-name-cloze": (_whole(_CLOZE),),
    "label-name-suffix": (_whole(_SUFFIX),),
    "synonym": (_SYNONYM,),
    "paragraph": (_whole("paragraph"),),
    "manual": (_whole("manual"),),
    "hake": (_whole("hake"),),
    # Any of them, drawn at random.
    "mixed": (_MIXED,),
    "mixed+parts4": (_MIXED, *_FOUR_PARTS),
}
"""Slots by preset name; ``synonym+parts4`` is the public implementation's setting."""
