"""Answers in the many forms in which models give them."""

from __future__ import annotations

import json

import pytest

from gap_mmaction.generation.answer_parser import parse_answer
from tests.generation.common import PARAGRAPH, PART_ANSWER, REFUSAL, SYNONYMS

WORDS = SYNONYMS.split(", ")
CLOSED = "Let me know if you would like more!"


def words(form: str) -> str:
    return "\n".join(form.format(n=n, w=w) for n, w in enumerate(WORDS, 1))


NUMBERED = words("{n}. {w}").title()
FORMS_OF_SYNONYMS = (
    *("{w}", "{n}) {w}", "{n}. **{w}**", "**{n}.** {w}", "* {w}", "{n}. {w}\r"),
    *("- \u201c{w}\u201d", "- {w}: to put it on", "- {w} \u2013 so, or so"),
    *("1. {w}\n   - which means it, too", "- {w} (formal)", "> {n}. {w}"),
)


def test_synonyms() -> None:
    introduced = 'Here are 10 synonyms for "put on a shoe":'
    for answer in (
        *map(words, FORMS_OF_SYNONYMS),
        *(SYNONYMS, f"A: {SYNONYMS}", SYNONYMS.replace(",", ";")),
        *(f"{introduced} {SYNONYMS}.", f"```\n{SYNONYMS}\n```"),
        SYNONYMS.replace(", fasten", ", and fasten."),
        NUMBERED.lower().replace("\n", " "),
        f"Sure!\n\n{introduced}\n\n{NUMBERED.lower()}\n\n{CLOSED}",
        words("* **{w}**").replace("* **fasten", "*** fasten"),
        f"- **Formal:** {', '.join(WORDS[:4])}\n- **Casual:** {', '.join(WORDS[4:])}",
        f"{introduced}\n```json\n{json.dumps(WORDS)}\n```\n{CLOSED}",
        json.dumps({"synonyms": WORDS}),
        f"1. Boot\n{words('{n}. {w}')}\n11. wear\n12. get into",
        f"<think>boot, boot, boot?\nNo.</think>\n{SYNONYMS}",
    ):
        assert parse_answer("synonyms", answer) == {"synonyms": WORDS}
    answer = "\n- ".join(("", "OK sign", "Slip one's shoe on", "Don", *"abcdefg"))
    phrases = parse_answer("synonyms", answer)["synonyms"]
    assert phrases[:3] == ["OK sign", "slip one's shoe on", "don"]


TEXTS = {text.split()[0]: text.rstrip(".") for text in PART_ANSWER.split("; ")}
PLAIN = {part: text.split(" ", 1)[1] for part, text in TEXTS.items()}


def parts(form: str) -> str:
    return "\n".join(
        form.format(p=part, P=part.title(), text=text, Text=text.capitalize(), n=n)
        for n, (part, text) in enumerate(PLAIN.items(), 1)
    )


FORMS_OF_PARTS = (
    *("{P} {text}.", "{P}: {text}", "{P}: {Text}.", "* **{P}:** {text}"),
    *("{n}. **{P}**: {text}", "*{P}:* {text}", "- **{P}** \u2014 {text}"),
    *("{P} - {text}", "{P}:\n- {Text}.", "### {P}\n{Text}.\n"),
    "**{P}**\n\n{Text}.\n",
)


def test_parts() -> None:
    listed = parts("- {P}: {text}")
    for answer in (
        *map(parts, FORMS_OF_PARTS),
        *(PART_ANSWER, PART_ANSWER.capitalize()),
        parts("{P}: {Text};").replace("\n", " "),
        f"| Part | Action |\n|---|---|\n{parts('| {P} | {text} |')}",
        f"Sure! Here's what they do:\n\n{listed}\n\n{CLOSED}",
        listed.replace("knee, ", "knee,\n  "),
        json.dumps({part: [text] for part, text in PLAIN.items()}),
        f"```json\n{json.dumps({'parts': PLAIN}, indent=1)}\n```",
        "{\n" + parts('  "{p}": "{text}",') + "\n}",
        f"{listed}\n\nThe whole body works together.",
    ):
        assert [*parse_answer("parts", answer).items()] == [*TEXTS.items()]


def test_what_names_a_part() -> None:
    between_commas = (
        "the head a, the hand b, the arm c, the hip d, leg e, and the foot f"
    )
    fields = parse_answer("parts", f"{between_commas}.")
    assert ", ".join(map(str, fields.values())) == between_commas
    answer = (
        "Head: The person looks down.\nHands (fingers): Fingers hold the lace.\n"
        "Arm(s): Stretch out. They stay there.\nHips: both hips bend\n"
        "Left leg: rises\nRight leg: stays\nFeet: slide in"
    )
    assert parse_answer("parts", answer) == dict(
        head="head: the person looks down",
        hand="hands: fingers hold the lace",
        arm="arms stretch out. They stay there",
        hip="both hips bend",
        leg="left leg rises, stays",
        foot="feet slide in",
    )


def test_paragraph() -> None:
    for answer in (
        PARAGRAPH.replace(". ", ".\n"),
        f"**Putting on a shoe**\n\n{PARAGRAPH}",
        f"Certainly! Here is a description:\n\n{PARAGRAPH}\n\n{CLOSED}",
        f"A person puts on a shoe as follows:\n{PARAGRAPH}",
        "\n".join(f"{i}. {s}." for i, s in enumerate(PARAGRAPH[:-1].split(". "))),
        PARAGRAPH.replace("bending down", "**bending** *down*"),
        json.dumps({"description": PARAGRAPH}),
        PARAGRAPH.replace("bending", "ben\u200bding\u0000"),
    ):
        assert parse_answer("paragraph", answer) == {"paragraph": PARAGRAPH}


def test_no_answer() -> None:
    for kind, answer, reason in (
        ("synonyms", "", "empty"),
        ("synonyms", REFUSAL, "refused"),
        ("synonyms", NUMBERED.replace("Tie", "Boot"), "9 of 10"),
        ("synonyms", (PARAGRAPH.replace(".", ",") + "\n") * 4, "of 10"),
        ("synonyms", "\n".join(f"- {i} {PARAGRAPH}" for i in range(10)), "a sentence"),
        ("paragraph", "Shoe.", "no description"),
        ("parts", PART_ANSWER.replace("hip", "belly"), "nothing found for hip"),
        ("parts", parts("{P}: {text}").replace("remains stationary", "N/A"), "hip"),
        ("parts", "Head and hand: they move\nArm: a\nHip: b\nLeg: c\nFoot: d", "head"),
        ("parts", '{"head": "tilts"', "hand"),
        ("parts", "5", "head, hand, arm, hip, leg, foot"),
    ):
        with pytest.raises(ValueError, match=reason):
            parse_answer(kind, answer)
