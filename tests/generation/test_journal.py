"""The journal, and what crashes leave of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gap_mmaction.generation.journal import (
    Answer,
    GenerationError,
    open_journal,
    read_journal,
)
from gap_mmaction.generation.prompts import make_questions
from tests.generation.common import answer_to

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
