"""From answers to classes, a header and remarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.generation.assembly import (
    assemble,
    best_answer,
    make_header,
    review,
)
from gap_mmaction.generation.prompts import make_questions
from gap_mmaction.models.text.descriptions import (
    PARTS,
    load_descriptions,
    write_descriptions,
)
from tests.generation.common import ANSWERS, REFUSAL, SYNONYMS, answer_to


def test_samples() -> None:
    questions = make_questions(["b", "a"], "m", samples=2)
    answers = {q: [answer_to(q, ANSWERS[q.kind])] for q in questions}
    (fields, _) = assemble(questions[::2], answers).classes
    assert list(fields) == ["label", "synonyms", "paragraph", *PARTS]
    assert fields["label"] == "b"
    assert fields["synonyms"] == SYNONYMS.split(", ")
    assert fields["paragraph"] == ANSWERS["paragraph"]
    assert fields["foot"] == "foot inserts into shoe"
    # With two of each: lists, of which none holds a text twice.
    texts = {
        "synonyms": SYNONYMS.replace("boot", "Wear"),
        "paragraph": "He puts it on.",
    }
    for question in questions:
        if question.sample and question.kind in texts:
            texts["paragraph"] = "A person puts it on."
            answers[question] = [answer_to(question, texts[question.kind])]
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
    comment = [line for line in path.read_text().splitlines() if line[:1] == "#"]
    assert "# Action descriptions for My set (2 classes)." in comment
    assert "# Model: m (answered as served)" in comment
    assert "# Date: 2026-01-02" in comment
    assert "# System message: be short" in comment
    assert any("MACHINE-GENERATED" in line for line in comment)
    assert '#   Suggest 10 synonyms for "<action>"' in comment
    assert comment[-2] == "#   a: synonyms"
    nothing = assemble(questions[1:2], answers)
    assert "Date: none" in make_header("x", "m", 1, "", nothing)


def test_newest_that_can_be_parsed() -> None:
    (question, *_) = make_questions(["a"], "m")
    texts = ("The first answer is good.", "The second answer is good.", "Bad.", "No.")
    given = [answer_to(question, text) for text in texts]
    assert best_answer(given)[0] is given[1]
    assert best_answer(given[:1])[0] is given[0]
    with pytest.raises(ValueError, match=r"'No\.'"):
        best_answer(given[2:])


def test_review() -> None:
    assert review([{"label": "a", "head": "head nods", "synonyms": ["nod"]}]) == []
    remarks = review(
        [
            {"label": "a", "paragraph": 51 * "word ", "synonyms": ["nod", "bow"]},
            {"label": "b", "head": ["head nods", 21 * "nod "], "synonyms": ["Bow"]},
        ]
    )
    assert remarks == [
        "a: paragraph: 51 words, CLIP may cut off what exceeds 50",
        "b: head: 21 words, CLIP may cut off what exceeds 20",
        "b: synonyms: 'Bow' serves 'a', too",
    ]
