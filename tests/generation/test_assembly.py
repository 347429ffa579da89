"""From answers to classes, a header and remarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.generation.assembly import assemble, best_answer
from gap_mmaction.generation.errors import AnswerError
from gap_mmaction.generation.header import make_header
from gap_mmaction.generation.question import make_questions
from gap_mmaction.generation.review import review
from gap_mmaction.models.text.descriptions import (
    PARTS,
    load_descriptions,
    write_descriptions,
)
from tests.generation.common import (
    ANSWERS,
    REFUSAL,
    SYNONYMS,
    good_answer,
    record_of,
)


def test_one_sample() -> None:
    questions = make_questions(["b", "a"], "m")
    answers = {q: [record_of(q, ANSWERS[q.kind])] for q in questions}
    result = assemble(questions, answers)
    assert [fields["label"] for fields in result.classes] == ["b", "a"]
    fields = result.classes[0]
    assert list(fields) == ["label", "synonyms", "paragraph", *PARTS]
    assert fields["synonyms"] == SYNONYMS.split(", ")
    assert isinstance(fields["paragraph"], str)
    assert fields["foot"] == "foot inserts into shoe"
    assert not result.failures
    assert not result.missing()


def test_several_samples() -> None:
    questions = make_questions(["a"], "m", samples=3)
    answers = {q: [record_of(q, ANSWERS[q.kind])] for q in questions}
    third = next(q for q in questions if q.kind == "synonyms" and q.sample == 2)
    answers[third] = [record_of(third, SYNONYMS.replace("boot", "Wear"))]
    other = next(q for q in questions if q.kind == "paragraph" and q.sample == 1)
    answers[other] = [record_of(other, "A person puts a shoe on.")]
    (fields,) = assemble(questions, answers).classes
    assert fields["synonyms"] == [*SYNONYMS.split(", "), "wear"]
    assert fields["paragraph"] == [ANSWERS["paragraph"], "A person puts a shoe on."]
    assert fields["hip"] == ["hip remains stationary"]


def test_failures() -> None:
    questions = make_questions(["a", "b"], "m")
    answers = {q: [record_of(q, ANSWERS[q.kind])] for q in questions}
    answers[questions[1]] = [record_of(questions[1], REFUSAL)]
    answers[questions[5]] = [record_of(questions[5], ANSWERS["parts"], cut_off=True)]
    result = assemble(questions, answers)
    assert [question for question, _ in result.failures] == [questions[1], questions[5]]
    assert "cut off" in result.failures[1][1].reason
    assert result.missing() == {"a": ["synonyms"], "b": list(PARTS)}
    assert set(result.classes[1]) == {"label", "synonyms", "paragraph"}


def test_newest_that_can_be_parsed() -> None:
    (question, *_) = make_questions(["a"], "m")
    texts = ("The first answer is good.", "The second answer is good.", "Bad.", "No.")
    records = [record_of(question, text) for text in texts]
    assert best_answer(records)[0] is records[1]
    assert best_answer(records[:1])[0] is records[0]
    with pytest.raises(AnswerError, match=r"'No\.'"):
        best_answer(records[2:])


def test_header(tmp_path: Path) -> None:
    questions = make_questions(["a", "b"], "m", system="be\nshort")
    answers = {q: [record_of(q, good_answer(q.prompt))] for q in questions}
    answers[questions[0]] = [record_of(questions[0], REFUSAL)]
    result = assemble(questions, answers)
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
    assert comment[-1] == "#   a: paragraph"
    nothing = assemble(questions[:1], answers)
    assert "Date: none" in make_header("x", "m", 1, "", nothing)


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
