"""Named prompt settings: which texts each slot of the prompt bank takes."""

from __future__ import annotations

from typing import Any

SlotConfig = dict[str, Any]

_SYNONYM: SlotConfig = dict(name="global", joints="global", text=["synonyms"])

_FOUR_PARTS: tuple[SlotConfig, ...] = (
    dict(name="head", joints="head", text=["label", "head"]),
    dict(name="hand", joints="hand-arm", text=["label", "hand", "arm"]),
    dict(name="hip", joints="hip", text=["label", "hip"]),
    dict(name="foot", joints="leg-foot", text=["label", "leg", "foot"]),
)

# The label-name prompts of the paper's Fig. 4; one is drawn per sample and step.
_LABEL_NAME: SlotConfig = dict(
    name="global",
    joints="global",
    text=[
        [
            '"{label}", a video of action',
            '"{label}", this is an action',
            'This is "{label}", a video of action',
            'Human action of "{label}"',
            'Playing a kind of action, "{label}"',
        ]
    ],
)

PRESETS: dict[str, tuple[SlotConfig, ...]] = {
    # The default: a synonym for the whole body, a description for each of four parts.
    "synonym+parts4": (_SYNONYM, *_FOUR_PARTS),
    "synonym": (_SYNONYM,),
    "label-name": (_LABEL_NAME,),
}
"""Slots by preset name; ``synonym+parts4`` is the public implementation's setting."""
