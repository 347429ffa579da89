"""Prompts, answers in their many forms, what they become, and the journal of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gap_mmaction.generation.answer_parser import parse_answer
from gap_mmaction.generation.assembly import assemble, best_answer, make_header, review
from gap_mmaction.generation.journal import (
    Answer,
    GenerationError,
    open_journal,
    read_journal,
)
from gap_mmaction.generation.prompts import json_schema, make_questions, read_labels
from gap_mmaction.models.text.descriptions import (
    PARTS,
    load_descriptions,
    write_descriptions,
)
from tests.generation.common import (
    ANSWERS,
    PARAGRAPH,
    PART_ANSWER,
    REFUSAL,
    SYNONYMS,
    answer_to,
)
from tests.models import text_common


def test_questions() -> None:
    questions = make_questions(["put on a shoe", "b"], "m", samples=2)
    # GAP, Fig. 5.
    assert [question.prompt for question in questions[:6:2]] == [
        'Describe a person "put on a shoe" in details.',
        'Suggest 10 synonyms for "put on a shoe"',
        'Describing following body parts actions when "put on a shoe": head, hand, '
        "arm, hip, leg, foot.",
    ]
    assert len(questions) == len(set(questions)) == 2 * 3 * 2
    schema = json_schema("parts")
    assert schema["required"] == list(schema["properties"]) == list(PARTS)


def test_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbfsit down\r\n\r\n# later:\r\n  stand   up \r\nthrow")
    assert read_labels(path) == ["sit down", "stand up", "throw"]
    described = Path(text_common.write_descriptions(tmp_path))
    assert read_labels(described) == list(text_common.LABELS)
    with pytest.raises(FileNotFoundError, match=r"gone\.yaml"):
        read_labels(tmp_path / "gone.yaml")
    for content, message in (
        (b"a\nb\n a \n", r", line 3: the label 'a' stands at line 1"),
        (b"\n# none\n", " holds no label"),
        (b"\xff", " is no UTF-8 text"),
        (b"a; b\nc; d\n", ": every line is separated by ';'"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"labels\.txt{message}"):
            read_labels(path)


def test_samples() -> None:
    questions = make_questions(["b", "a"], "m", samples=2)
    answers = {q: [answer_to(q, ANSWERS[q.kind])] for q in questions}
    (fields, _) = assemble(questions[::2], answers).classes
    assert list(fields) == ["label", "synonyms", "paragraph", *PARTS]
    assert (fields["label"], fields["paragraph"]) == ("b", ANSWERS["paragraph"])
    # With two of each: lists, of which none holds a text twice.
    answers[questions[1]] = [answer_to(questions[1], "A person puts it on.")]
    more = SYNONYMS.replace("boot", "Wear")
    answers[questions[3]] = [answer_to(questions[3], more)]
    (fields, _) = assemble(questions, answers).classes
    assert fields["synonyms"] == [*SYNONYMS.split(", "), "wear"]
    assert fields["paragraph"] == [ANSWERS["paragraph"], "A person puts it on."]
    assert fields["hip"] == ["hip remains stationary"]


def test_failures_and_header(tmp_path: Path) -> None:
    questions = make_questions(["a", "b"], "m", system="be\nshort")
    answers = {q: [answer_to(q, ANSWERS[q.kind])] for q in questions}
    answers[questions[1]] = [answer_to(questions[1], REFUSAL)]
    answers[questions[5]] = [answer_to(questions[5], ANSWERS["parts"], cut_off=True)]
    result = assemble(questions, answers)
    assert [answer.question for answer, _ in result.failures] == questions[1:6:4]
    assert "cut off" in result.failures[1][1]
    assert result.missing() == {"a": ["synonyms"], "b": list(PARTS)}
    assert set(result.classes[1]) == {"label", "synonyms", "paragraph"}

    header = make_header("My\u0000 set", "m\x85\n", 1, "be\nshort", result)
    path = tmp_path / "mine.yaml"
    write_descriptions(path, "mine", result.classes, header)
    assert [action.label for action in load_descriptions(path)] == ["a", "b"]
    for line in ("Model: m (answered as served)", "Date: 2026-01-02", "  a: synonyms"):
        assert f"# {line}\n" in path.read_text()
    nothing = assemble(questions[1:2], answers)
    assert "Date: none" in make_header("x", "m", 1, "", nothing)


def test_newest_that_can_be_parsed() -> None:
    (question, *_) = make_questions(["a"], "m")
    texts = ("The first answer is good.", "The second answer is good.", "Bad.", "No.")
    given = [answer_to(question, text) for text in texts]
    assert best_answer(given)[0] is given[1]
    with pytest.raises(ValueError, match=r"'No\.'"):
        best_answer(given[2:])


def test_review() -> None:
    classes = [
        {"label": "a", "synonyms": ["nod", "bow"]},
        {"label": "b", "head": ["head nods", 21 * "nod "], "synonyms": ["Bow"]},
    ]
    assert review(classes) == [
        "b: head: 21 words, CLIP may cut off what exceeds 20",
        "b: synonyms: 'Bow' serves 'a', too",
    ]


WORDS = SYNONYMS.split(", ")
CLOSED = "Let me know if you would like more!"


def words(form: str) -> str:
    return "\n".join(form.format(n=n, w=w) for n, w in enumerate(WORDS, 1))


NUMBERED = words("{n}. {w}").title()
FORMS_OF_SYNONYMS = (
    *("{w}", "{n}) {w}", "{n}. **{w}**", "**{n}.** {w}", "* {w}", "{n}. {w}\r"),
    *("- \u201c{w}\u201d", "- {w}: to put it on", "- {w} \u2013 so, or so"),
    *("1. {w}\n   - which means it, too", "- {w} (formal)", "> {n}. {w}"),
    *("| {w} | to put it on |", "| {n} | {w} | formal |", "{n} | {w}"),
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
        json.dumps({"synonyms": {"formal": WORDS[:4], "casual": WORDS[4:]}}),
        json.dumps([{"id": n, "word": w, "use": "often"} for n, w in enumerate(WORDS)]),
        json.dumps({w: "to put it on" for w in WORDS}),
        json.dumps({f"synonym {n}": w for n, w in enumerate(WORDS)}, indent=1),
        f"| No. | Phrase |\n|----|:---|\n{words('| {n} | {w} |')}",
        f"1. Boot\n{words('{n}. {w}')}\n11. wear\n12. get into",
        f"<think>boot, boot, boot?\nNo.</think>\n{SYNONYMS}",
    ):
        assert parse_answer("synonyms", answer) == {"synonyms": WORDS}
    unlike_talk = ("OK sign", "Okay gesture", "Slip one's shoe on", "Sure grip")
    answer = "\n- ".join(("", *unlike_talk, *"abcdef"))
    phrases = parse_answer("synonyms", answer)["synonyms"]
    assert [phrase.lower() for phrase in phrases[:4]] == [*map(str.lower, unlike_talk)]
    assert phrases[:2] == ["OK sign", "okay gesture"]
    talk = f"Sure, {SYNONYMS}"
    assert parse_answer("synonyms", talk) == {"synonyms": WORDS}


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
        json.dumps({part: {"action": text} for part, text in PLAIN.items()}, indent=1),
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
        leg="left leg rises, right leg stays",
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
        ("parts", parts("{P}: {{'action': '{text}'}}"), "signs of a table"),
        ("parts", "5", "head, hand, arm, hip, leg, foot"),
    ):
        with pytest.raises(ValueError, match=reason):
            parse_answer(kind, answer)


QUESTIONS = make_questions(["sit down", "\u5750\u4e0b \ud800"], "m")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "journal.jsonl"


def write(path: Path, count: int) -> list[Answer]:
    answers = [answer_to(q, f"answer\n\u2028\ud800 to {q}") for q in QUESTIONS[:count]]
    with open_journal(path) as journal:
        for answer in answers:
            journal.append(answer)
    return answers


def read(path: Path) -> list[Answer]:
    return [answer for answers in read_journal(path).values() for answer in answers]


def test_round_trip(path: Path) -> None:
    assert read_journal(path) == {}
    answers = write(path, 4)
    assert read(path) == answers
    second = answer_to(QUESTIONS[0], "again")
    with open_journal(path) as journal:
        assert journal.answers == {answer.question: [answer] for answer in answers}
        journal.append(second)
    assert read_journal(path)[QUESTIONS[0]] == [answers[0], second]
    # A line of an older version.
    header, line, *_ = path.read_text().splitlines()
    older = {"digest": 32 * "0", **json.loads(line)}
    path.write_text(f"{header}\n{json.dumps(older)}\n")
    assert read(path) == answers[:1]


def test_cut_off_anywhere(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # for speed
    answers = write(path, 3)
    whole = path.read_bytes()
    header, *lines = whole.splitlines(keepends=True)
    ends = [len(header + b"".join(lines[:count])) for count in range(4)]
    near = {end + step for end in (0, *ends) for step in range(-9, 9)}
    for size in sorted({*near, *range(0, len(whole), 29)} & {*range(len(whole))}):
        path.write_bytes(whole[:size])
        # A line is whole without its end, too.
        kept = sum(size >= end - 1 for end in ends[1:])
        assert read(path) == answers[:kept]
        assert path.read_bytes() == whole[:size]  # reading changes nothing
        with open_journal(path) as journal:
            journal.append(answer_to(QUESTIONS[4], "next"))
        assert read(path) == [*answers[:kept], answer_to(QUESTIONS[4], "next")]


@pytest.mark.parametrize(
    "line",
    [b"{", b"\xff", b"5", b"{}", b'{"label": "a"}', b"\x00\x00", b"[" * 9999, None],
)
def test_what_is_no_journal_is_left_alone(path: Path, line: bytes | None) -> None:
    write(path, 3)
    lines = path.read_bytes().split(b"\n")
    damaged = b"\n".join([*lines[:2], line, *lines[2:]]) if line else b"my notes"
    path.write_bytes(damaged)
    message = r"journal\.jsonl" + (", line 3: .*damaged" if line else ": this is no")
    for use in (lambda: open_journal(path).__enter__(), lambda: read_journal(path)):
        with pytest.raises(ValueError, match=message):
            use()
    assert path.read_bytes() == damaged


def test_one_run_at_a_time(path: Path) -> None:
    pytest.importorskip("fcntl")
    with open_journal(path), pytest.raises(ValueError, match="another run"):
        open_journal(path).__enter__()
    write(path, 1)


def test_full_disk_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = write(path, 1)

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with open_journal(path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(GenerationError, match=r"No space .*'precious'"):
                journal.append(answer_to(QUESTIONS[1], "precious"))
        assert read(path) == answers
        journal.append(answer_to(QUESTIONS[2], "later"))
    assert [answer.text for answer in read(path)][1:] == ["later"]
