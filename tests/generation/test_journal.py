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
    assert path.read_bytes().count(b"\n") == 1 + 4
    second = answer_to(QUESTIONS[0], "again")
    with open_journal(path) as journal:
        assert journal.answers == {answer.question: [answer] for answer in answers}
        journal.append(second)
        assert journal.answers[QUESTIONS[0]] == [answers[0], second]
    assert read_journal(path)[QUESTIONS[0]] == [answers[0], second]


def test_a_line_of_older_versions(path: Path) -> None:
    (answer,) = write(path, 1)
    header, line = path.read_text().splitlines()
    older = {"digest": 32 * "0", **json.loads(line)}
    path.write_text(f"{header}\n{json.dumps(older)}\n")
    assert read(path) == [answer]


def test_on_the_disk_before_it_returns(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    fsync = os.fsync

    def spy(handle: int) -> None:
        sizes.append(path.stat().st_size)
        fsync(handle)

    with open_journal(path) as journal:
        monkeypatch.setattr(os, "fsync", spy)
        for question in QUESTIONS[:3]:
            journal.append(answer_to(question, "answer"))
            assert sizes[-1] == path.stat().st_size
    assert len(sizes) == 3


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
        assert path.read_bytes().startswith(header + b"".join(lines[:kept]))
        assert read(path) == [*answers[:kept], answer_to(QUESTIONS[4], "next")]


@pytest.mark.parametrize(
    "line", [b"{", b"\xff", b"5", b"{}", b'{"label": "a"}', b"\x00\x00", b"[" * 9999]
)
def test_damage_in_the_middle(path: Path, line: bytes) -> None:
    write(path, 3)
    lines = path.read_bytes().split(b"\n")
    damaged = b"\n".join([*lines[:2], line, *lines[2:]])
    path.write_bytes(damaged)
    for use in (lambda: open_journal(path).__enter__(), lambda: read_journal(path)):
        with pytest.raises(ValueError, match=r"journal\.jsonl, line 3: .*damaged"):
            use()
    assert path.read_bytes() == damaged


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes")
    for use in (lambda: open_journal(path).__enter__(), lambda: read_journal(path)):
        with pytest.raises(ValueError, match=r"notes\.txt: this is no journal"):
            use()
    assert path.read_text() == "my notes"


def test_one_run_at_a_time(path: Path) -> None:
    pytest.importorskip("fcntl")
    with open_journal(path), pytest.raises(ValueError, match="another run"):
        open_journal(path).__enter__()
    with open_journal(path):
        pass


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
