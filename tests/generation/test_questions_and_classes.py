"""The paper's prompts about every label, and the classes that answers become."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.generation.assembly import assemble, best_answer, make_header, review
from gap_mmaction.generation.prompts import json_schema, make_questions, read_labels
from gap_mmaction.models.text.descriptions import (
    PARTS,
    load_descriptions,
    write_descriptions,
)
from tests.generation.common import ANSWERS, REFUSAL, SYNONYMS, answer_to
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
