"""The loop: what is asked, kept and given up."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gap_mmaction.generation.journal import (
    Answer,
    GenerationError,
    Journal,
    open_journal,
)
from gap_mmaction.generation.language_models import collect_answers
from gap_mmaction.generation.prompts import Question, make_questions
from tests.generation.common import REFUSAL, good_answer

QUESTIONS = make_questions(["sit down", "stand up", "throw"], "m")


class ScriptedModel:
    """Answers what a function says, or raises what it raises."""

    def __init__(self, script: Callable[[Question], str]) -> None:
        self.script = script
        self.asked: list[Question] = []
        self.stopped = threading.Event()

    def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        return Answer(question, self.script(question))


def good(question: Question) -> str:
    return good_answer(question.prompt)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path / "journal.jsonl") as opened:
        yield opened


@pytest.mark.parametrize("concurrency", [1, 4])
def test_asks_each_once(journal: Journal, concurrency: int) -> None:
    def script(question: Question) -> str:
        return REFUSAL if question == QUESTIONS[0] else good(question)

    model = ScriptedModel(script)
    lines: list[str] = []
    collect_answers(model, journal, QUESTIONS, concurrency, lines.append)
    assert len(model.asked) == len(QUESTIONS)
    assert journal.answers.keys() == {*QUESTIONS}
    for question, (answer,) in journal.answers.items():
        assert answer.text == script(question)
        assert answer.time.endswith("+00:00")
    assert [line.split("]")[0] for line in lines] == [f"[{i}/9" for i in range(1, 10)]
    bad = "sit down: paragraph: could not be parsed, the model refused to answer"
    assert [line[6:] for line in lines if "could not" in line] == [bad]


def test_keeps_what_is_under_way(journal: Journal) -> None:
    """A failure ends the run, but not the others' requests; it is the one raised."""
    failed = threading.Event()
    model = ScriptedModel(good)

    def script(question: Question) -> str:
        if question == QUESTIONS[0]:  # under way when another one fails
            failed.wait(60)
            model.stopped.wait(60)
            return good(question)
        if question == QUESTIONS[1]:  # put again until then
            model.stopped.wait(60)
            raise GenerationError("stopped")
        failed.set()
        raise GenerationError("wrong key")

    model.script = script
    with pytest.raises(GenerationError, match="wrong key"):
        collect_answers(model, journal, QUESTIONS, 3, lambda line: None)
    assert journal.answers.keys() == {QUESTIONS[0]}
    assert {*model.asked} == {*QUESTIONS[:3]}


def test_interrupt_keeps_what_is_under_way(journal: Journal) -> None:
    def script(question: Question) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        return good(question)

    model = ScriptedModel(script)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            collect_answers(model, journal, QUESTIONS, report=lambda line: None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert model.asked == [*journal.answers] == QUESTIONS[:1]


def test_says_what_the_journal_could_not_keep(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(answer: Answer) -> None:
        raise GenerationError("no space for 'precious'")

    monkeypatch.setattr(journal, "append", fail)
    model = ScriptedModel(good)
    lines: list[str] = []
    with pytest.raises(GenerationError, match="precious"):
        collect_answers(model, journal, QUESTIONS, report=lines.append)
    assert "no space for 'precious'" in lines[0]
    assert len(model.asked) == 1
