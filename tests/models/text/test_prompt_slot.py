"""Slots: from the fields of a class to texts."""

from __future__ import annotations

from typing import Any

import pytest

from gap_mmaction.models.text.descriptions import ActionDescription
from gap_mmaction.models.text.presets import PRESETS
from gap_mmaction.models.text.prompt_bank import PromptSlot
from gap_mmaction.skeletons import get_skeleton, layouts

ACTION = ActionDescription(
    "sit down",
    {
        "label": ("sit down",),
        "synonyms": ("take a seat", "be seated"),
        "head": ("head lowers",),
        "hand": ("hands fall", "hands rest"),
    },
    "mine.yaml, line 4",
)


def _variants(text: Any) -> list[str]:
    slot = PromptSlot.from_config(dict(name="part", joints="hand-arm", text=text))
    assert (slot.name, slot.joints) == ("part", "hand-arm")
    return slot.variants(ACTION)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label", ["sit down"]),
        (["label"], ["sit down"]),
        (["label", "head"], ["sit down, head lowers"]),
        (["synonyms"], ["take a seat", "be seated"]),
        (
            ["synonyms", "hand"],
            [
                "take a seat, hands fall",
                "take a seat, hands rest",
                "be seated, hands fall",
                "be seated, hands rest",
            ],
        ),
        ('"{label}", a video', ['"sit down", a video']),
        (
            ["Action of {synonyms}"],
            ["Action of take a seat", "Action of be seated"],
        ),
        (["{label}: {hand}"], ["sit down: hands fall", "sit down: hands rest"]),
        ([["label", "synonyms"]], ["sit down", "take a seat", "be seated"]),
        ([["label", "label", "{label}"]], ["sit down"]),
        (
            [["{label}", "to {label}"], "head"],
            ["sit down, head lowers", "to sit down, head lowers"],
        ),
        (["{{label}} {label}"], ["{label} sit down"]),
    ],
)
def test_variants(text: Any, expected: list[str]) -> None:
    assert _variants(text) == expected


@pytest.mark.parametrize(
    ("text", "field"),
    [("foot", "foot"), (["label", "foot"], "foot"), ("a {foot}", "foot"),
     ([["label", "{foot}"]], "foot"), ("", "")],
)  # fmt: skip
def test_missing_field(text: Any, field: str) -> None:
    with pytest.raises(ValueError) as error:
        _variants(text)
    for word in (
        "mine.yaml, line 4",
        "'sit down'",
        f"no field '{field}'",
        "prompt slot 'part'",
        "'synonyms'",
        "model.text_branch.prompts",
    ):
        assert word in str(error.value)


@pytest.mark.parametrize("text", [[], [[]], ["label", []], None, 5, [5], {"a": 1}])
def test_no_text(text: Any) -> None:
    with pytest.raises(ValueError, match=r"prompt slot 'part': `text` is .*not empty"):
        _variants(text)


@pytest.mark.parametrize(
    "template",
    ["{label", "{}", "{0}", "{label!x}", "{label:d}", "{label.x}", "}{label}"],
)
def test_broken_template(template: str) -> None:
    with pytest.raises(
        ValueError, match=r"prompt slot 'part': the template .* cannot be"
    ):
        _variants(["head", template])


@pytest.mark.parametrize(
    "config",
    [
        dict(name="part", joints="head"),
        dict(name="part", text="label"),
        dict(name="part", joints="head", text="label", weight=2),
    ],
)
def test_keys(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as error:
        PromptSlot.from_config(config)
    assert str(config) in str(error.value)
    assert "['joints', 'name', 'text']" in str(error.value)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("layout", layouts())
def test_presets_fit_the_layouts(preset: str, layout: str) -> None:
    for config in PRESETS[preset]:
        slot = PromptSlot.from_config(config)
        assert get_skeleton(layout).part(slot.joints)


def test_default_preset_is_that_of_the_public_code() -> None:
    slots = {s["name"]: (s["joints"], s["text"]) for s in PRESETS["synonym+parts4"]}
    assert slots == {
        "global": ("global", ["synonyms"]),
        "head": ("head", ["label", "head"]),
        "hand": ("hand-arm", ["label", "hand", "arm"]),
        "hip": ("hip", ["label", "hip"]),
        "foot": ("leg-foot", ["label", "leg", "foot"]),
    }
