"""Answers in the many forms in which models give them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gap_mmaction.generation.answer_parser import parse_answer
from tests.generation.common import PARAGRAPH, PART_ANSWER, REFUSAL, SYNONYMS

WORDS = SYNONYMS.split(", ")
NUMBERED = "\n".join(f"{i}. {word.capitalize()}" for i, word in enumerate(WORDS, 1))
INTRODUCED = 'Here are 10 synonyms for "put on a shoe":'
CLOSED = "Let me know if you would like more!"

SYNONYM_ANSWERS = {
    "the paper's": SYNONYMS,
    "with an and": SYNONYMS.replace(", fasten", ", and fasten."),
    "with a letter": f"A: {SYNONYMS}",
    "semicolons": SYNONYMS.replace(",", ";"),
    "introduced in the line": f"{INTRODUCED} {SYNONYMS}.",
    "one a line": SYNONYMS.replace(", ", "\n"),
    "numbered in one line": NUMBERED.replace("\n", " "),
    "brackets": NUMBERED.replace(". ", ") "),
    "chat": f"Sure!\n\n{INTRODUCED}\n\n{NUMBERED}\n\n{CLOSED}",
    "bold": "\n".join(f"{i}. **{word}**" for i, word in enumerate(WORDS, 1)),
    "bold numbers": "\n".join(f"**{i}.** {word}" for i, word in enumerate(WORDS, 1)),
    "bullets": "\n".join(f"* {word}" for word in WORDS),
    "a blank too far": "\n".join(f"* **{w}**" for w in WORDS[:9]) + "\n*** fasten**",
    "curly quotes": "\n".join(f"- \u201c{word}\u201d" for word in WORDS),
    "explained by a colon": "\n".join(f"- {word}: to put it on" for word in WORDS),
    "explained by a dash": "\n".join(f"- {w} \u2013 so, or so" for w in WORDS),
    "explained below": "\n".join(f"1. {w}\n   - which means it, too" for w in WORDS),
    "explained in brackets": "\n".join(f"- {word} (formal)" for word in WORDS),
    "in groups": (
        f"- **Formal:** {', '.join(WORDS[:4])}\n- **Casual:** {', '.join(WORDS[4:])}"
    ),
    "fenced": f"```\n{SYNONYMS}\n```",
    "fenced json": f"{INTRODUCED}\n```json\n{json.dumps(WORDS)}\n```\n{CLOSED}",
    "json object": json.dumps({"synonyms": WORDS}),
    "more than ten": f"{NUMBERED}\n11. wear\n12. get into",
    "one twice": f"1. Boot\n{NUMBERED}",
    "thoughts first": f"<think>boot, boot, boot?\nNo.</think>\n{SYNONYMS}",
    "windows lines": NUMBERED.replace("\n", "\r\n"),
    "quoted block": "\n".join(f"> {line}" for line in NUMBERED.splitlines()),
}


def test_phrases_and_capitals_of_synonyms() -> None:
    answer = "\n".join(
        f"- {text}" for text in ("OK sign", "Slip one's shoe on", "Don", *"abcdefg")
    )
    assert parse_answer("synonyms", answer)["synonyms"][:3] == [
        *("OK sign", "slip one's shoe on", "don")
    ]


PART_TEXTS = dict(
    head="head tilts slightly forward",
    hand="hand reaches down and grasps shoe",
    arm="arm extends down and forward",
    hip="hip remains stationary",
    leg="leg bends at the knee, bringing foot closer to the hand",
    foot="foot inserts into shoe",
)
PLAIN = {part: text.split(" ", 1)[1] for part, text in PART_TEXTS.items()}


def lines(form: str) -> str:
    return "\n".join(
        form.format(p=part, P=part.title(), text=text, Text=text.capitalize(), n=n)
        for n, (part, text) in enumerate(PLAIN.items(), 1)
    )


PART_ANSWERS = {
    "the paper's": PART_ANSWER,
    "capitals": PART_ANSWER.capitalize(),
    "sentences": ". ".join(text.capitalize() for text in PART_TEXTS.values()) + ".",
    "a sentence a line": "\n".join(f"{t.capitalize()}." for t in PART_TEXTS.values()),
    "labelled": lines("{P}: {text}"),
    "capital after the label": lines("{P}: {Text}."),
    "in one line": lines("{P}: {Text};").replace("\n", " "),
    "bold": lines("* **{P}:** {text}"),
    "bold, colon outside": lines("{n}. **{P}**: {text}"),
    "italic": lines("*{P}:* {text}"),
    "dashes": lines("{P} - {text}"),
    "long dashes": lines("- **{P}** \u2014 {text}"),
    "table": "| Part | Action |\n|---|---|\n" + lines("| {P} | {text} |"),
    "headings": lines("### {P}\n{Text}.\n"),
    "bold headings": lines("**{P}**\n\n{Text}.\n"),
    "headings with a colon": lines("{P}:\n- {Text}."),
    "chat": f"Sure! Here's what they do:\n\n{lines('- {P}: {text}')}\n\n{CLOSED}",
    "wrapped": lines("- {P}: {text}").replace("knee, ", "knee,\n  "),
    "fenced": f"```text\n{lines('{P}: {text}')}\n```",
    "json with lists": json.dumps({part: [text] for part, text in PLAIN.items()}),
    "fenced json": f"```json\n{json.dumps({'parts': PLAIN}, indent=1)}\n```",
    "almost json": "{\n" + lines('  "{p}": "{text}",') + "\n}",
    "a remark after it": f"{lines('- {P}: {text}')}\n\nThe whole body works together.",
}


def test_parts_between_commas() -> None:
    answer = "The head tilts, the hand grasps, the arm extends, the hip stays, the leg "
    fields = parse_answer("parts", f"{answer}bends, and the foot slides in.")
    assert fields["head"] == "the head tilts"
    assert fields["foot"] == "and the foot slides in"


def test_plurals_and_what_a_phrase_is_named_after() -> None:
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


PARAGRAPHS = {
    "wrapped": PARAGRAPH.replace(". ", ".\n"),
    "quoted": f'"{PARAGRAPH}"',
    "bold heading": f"**Putting on a shoe**\n\n{PARAGRAPH}",
    "chat": f"Certainly! Here is a description:\n\n{PARAGRAPH}\n\n{CLOSED}",
    "introduced": f"A person puts on a shoe as follows:\n{PARAGRAPH}",
    "steps": "\n".join(f"{i}. {s}." for i, s in enumerate(PARAGRAPH[:-1].split(". "))),
    "emphasis": PARAGRAPH.replace("bending down", "**bending** *down*"),
    "json": json.dumps({"description": PARAGRAPH}),
    "odd signs": PARAGRAPH.replace("bending", "ben\u200bding\u0000"),
}


READABLE: dict[str, tuple[dict[str, str], Any]] = {
    "synonyms": (SYNONYM_ANSWERS, {"synonyms": WORDS}),
    "parts": (PART_ANSWERS, PART_TEXTS),
    "paragraph": (PARAGRAPHS, {"paragraph": PARAGRAPH}),
}


@pytest.mark.parametrize(
    ("kind", "form"), [(kind, form) for kind in READABLE for form in READABLE[kind][0]]
)
def test_forms(kind: str, form: str) -> None:
    answers, expected = READABLE[kind]
    fields = parse_answer(kind, answers[form])
    assert fields == expected
    assert list(fields) == list(expected)


@pytest.mark.parametrize(
    ("kind", "answer", "reason"),
    [
        ("synonyms", "", "empty"),
        ("synonyms", REFUSAL, "refused"),
        ("paragraph", "As an AI, I have no body.", "refused"),
        ("synonyms", NUMBERED.replace("Tie", "Boot"), "9 of 10"),
        ("synonyms", (PARAGRAPH.replace(".", ",") + "\n") * 4, "of 10"),
        ("synonyms", "\n".join(f"- {i} {PARAGRAPH}" for i in range(10)), "a sentence"),
        ("paragraph", "Shoe.", "no description"),
        ("parts", PART_ANSWER.replace("hip", "belly"), "nothing found for hip"),
        ("parts", lines("{P}: {text}").replace("remains stationary", "N/A"), "hip"),
        ("parts", "Head and hand: they move\nArm: a\nHip: b\nLeg: c\nFoot: d", "head"),
        ("parts", '{"head": "tilts"', "hand"),
        ("parts", "5", "head, hand, arm, hip, leg, foot"),
        ("paragraph", "[1, 2]", "no description"),
    ],
)
def test_no_answer(kind: str, answer: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_answer(kind, answer)
