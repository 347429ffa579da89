"""The loop: what is asked, waited for, kept and given up."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gap_mmaction.generation.backoff import Backoff
from gap_mmaction.generation.collector import AnswerCollector
from gap_mmaction.generation.errors import GenerationError, TemporaryError
from gap_mmaction.generation.journal import Journal, JournalError
from gap_mmaction.generation.question import Question, make_questions
from tests.generation.common import REFUSAL, ScriptedBackend, good_answer

QUESTIONS = make_questions(["sit down", "stand up", "throw"], "m")
QUICK = Backoff(retries=3, first=0.001)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.jsonl") as opened:
        yield opened


def good(question: Question, attempt: int) -> str:
    return good_answer(question.prompt)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_asks_each_once(journal: Journal, concurrency: int) -> None:
    backend = ScriptedBackend(good)
    lines: list[str] = []
    AnswerCollector(backend, journal, QUICK, concurrency, lines.append).collect(
        QUESTIONS
    )
    assert len(backend.asked) == len(QUESTIONS)
    assert set(backend.asked) == set(QUESTIONS)
    for question in QUESTIONS:
        (record,) = journal.answers(question.key)
        assert record.answer == good_answer(question.prompt)
        assert record.prompt == question.prompt
        assert record.time.endswith("+00:00")
    assert [line.split("]")[0] for line in lines] == [f"[{i}/9" for i in range(1, 10)]


def test_asks_again(journal: Journal) -> None:
    def script(question: Question, attempt: int) -> str:
        if attempt < 4:
            raise TemporaryError("busy")
        return REFUSAL

    lines: list[str] = []
    collector = AnswerCollector(ScriptedBackend(script), journal, QUICK, 1)
    collector._report = lines.append
    collector.collect(QUESTIONS[:1])
    assert [line.split(" in ")[0] for line in lines[:3]] == (
        3 * ["sit down: paragraph: busy; again"]
    )
    assert lines[3] == (
        "[1/1] sit down: paragraph: could not be parsed, the model refused to answer"
    )
    assert journal.answers(QUESTIONS[0].key)[0].answer == REFUSAL


def test_gives_up_after_the_retries(journal: Journal) -> None:
    def script(question: Question, attempt: int) -> str:
        if question == QUESTIONS[2]:
            raise TemporaryError("busy")
        return good_answer(question.prompt)

    backend = ScriptedBackend(script)
    collector = AnswerCollector(backend, journal, QUICK, report=lambda line: None)
    with pytest.raises(GenerationError, match=r"parts: no answer after 4 att.*busy"):
        collector.collect(QUESTIONS)
    assert backend.asked == [*QUESTIONS[:2], *4 * [QUESTIONS[2]]]
    assert [bool(journal.answers(q.key)) for q in QUESTIONS[:3]] == [True, True, False]


def test_gives_up_at_once(journal: Journal) -> None:
    def script(question: Question, attempt: int) -> str:
        raise GenerationError("no such model")

    backend = ScriptedBackend(script)
    with pytest.raises(GenerationError, match="no such model"):
        AnswerCollector(backend, journal, QUICK).collect(QUESTIONS)
    assert len(backend.asked) == 1


def test_retry_after(journal: Journal) -> None:
    times = []

    def script(question: Question, attempt: int) -> str:
        times.append(time.monotonic())
        if attempt == 1:
            raise TemporaryError("slow down", retry_after=0.2)
        return good_answer(question.prompt)

    AnswerCollector(ScriptedBackend(script), journal, QUICK).collect(QUESTIONS[:1])
    assert times[1] - times[0] >= 0.2


def test_does_not_wait_for_hours(journal: Journal) -> None:
    def script(question: Question, attempt: int) -> str:
        raise TemporaryError("limit of the day", retry_after=7200)

    backend = ScriptedBackend(script)
    with pytest.raises(GenerationError, match=r"limit of the day.* 7200 seconds"):
        AnswerCollector(backend, journal, QUICK).collect(QUESTIONS)


def test_keeps_what_is_under_way(journal: Journal) -> None:
    """A failure stops the others' waits, but not their requests."""
    started, failed = threading.Event(), threading.Event()

    def script(question: Question, attempt: int) -> str:
        if question == QUESTIONS[0]:  # under way when another one fails
            started.set()
            failed.wait(60)
            return good_answer(question.prompt)
        if question == QUESTIONS[1]:  # waits to be put again
            raise TemporaryError("busy", retry_after=500)
        started.wait(60)
        failed.set()
        raise GenerationError("wrong key")

    backend = ScriptedBackend(script)
    collector = AnswerCollector(backend, journal, QUICK, 3, lambda line: None)
    with pytest.raises(GenerationError, match="wrong key"):
        collector.collect(QUESTIONS)
    assert len(journal.answers(QUESTIONS[0].key)) == 1
    assert set(backend.asked) == set(QUESTIONS[:3])


def test_interrupt_keeps_what_is_under_way(journal: Journal) -> None:
    def script(question: Question, attempt: int) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        return good_answer(question.prompt)

    backend = ScriptedBackend(script)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            AnswerCollector(backend, journal, QUICK).collect(QUESTIONS)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(backend.asked) == 1
    assert len(journal.answers(QUESTIONS[0].key)) == 1


def test_says_what_the_journal_could_not_keep(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    collector = AnswerCollector(
        ScriptedBackend(good), journal, QUICK, report=lines.append
    )

    def fail(record: object) -> None:
        raise JournalError("no space for 'precious'")

    monkeypatch.setattr(journal, "append", fail)
    with pytest.raises(JournalError, match="precious"):
        collector.collect(QUESTIONS)
    assert lines == ["no space for 'precious'"]
