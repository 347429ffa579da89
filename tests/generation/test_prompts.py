"""The prompts are the paper's, and every label gets each."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.generation.prompts import (
    PROMPTS,
    estimate_tokens,
    json_schema,
    make_questions,
    read_labels,
)
from gap_mmaction.models.text.descriptions import PARTS
from tests.models.text_common import LABELS, write_descriptions


def test_wording_is_the_papers() -> None:
    # GAP, Fig. 5.
    assert [question.prompt for question in make_questions(["put on a shoe"], "m")] == [
        'Describe a person "put on a shoe" in details.',
        'Suggest 10 synonyms for "put on a shoe"',
        'Describing following body parts actions when "put on a shoe": head, hand, '
        "arm, hip, leg, foot.",
    ]


def test_questions() -> None:
    questions = make_questions(["a", "b"], "m", samples=2)
    assert len(questions) == len(set(questions)) == 2 * 3 * 2
    assert [question.label for question in questions] == ["a"] * 6 + ["b"] * 6
    assert str(questions[1]) == "a: paragraph (sample 2)"
    # Strict schemas ask for every field, and no other.
    for kind in PROMPTS:
        schema = json_schema(kind)
        assert schema["required"] == list(schema["properties"])
        assert schema["additionalProperties"] is False
    assert json_schema("parts")["required"] == list(PARTS)


def test_estimate() -> None:
    questions = make_questions(["a", "b"], "m")
    tokens_in, tokens_out = estimate_tokens(questions)
    letters = sum(len(question.prompt) for question in questions)
    assert letters / 4 < tokens_in < letters / 4 + 6 * 10
    assert tokens_out == 2 * (250 + 60 + 180)
    with_system = make_questions(["a", "b"], "m", system="s")
    assert estimate_tokens(with_system)[0] > tokens_in


def test_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbfsit down\r\n\r\n# later:\r\n  stand   up \r\nthrow")
    assert read_labels(path) == ["sit down", "stand up", "throw"]
    assert read_labels(Path(write_descriptions(tmp_path))) == list(LABELS)
    for name in ("gone.txt", "gone.yaml"):
        with pytest.raises(FileNotFoundError, match=name):
            read_labels(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb\n a \n", r"labels\.txt, line 3: the label 'a' stands at line 1"),
        (b"\n# none\n", r"labels\.txt holds no label"),
        (b"\xff", r"labels\.txt is no UTF-8 text"),
        (b"a; b\nc; d\n", r"labels\.txt: every line is separated by ';'"),
    ],
)
def test_bad_labels(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_labels(path)
