"""A server's model, a random one on this machine, and the loop that asks them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from gap_mmaction.generation.answer_parser import parse_answer
from gap_mmaction.generation.journal import (
    Answer,
    GenerationError,
    Journal,
    open_journal,
)
from gap_mmaction.generation.language_models import (
    KEY_VARIABLE,
    ChatModel,
    LocalModel,
    collect_answers,
)
from gap_mmaction.generation.prompts import Question, json_schema, make_questions
from tests.generation.common import ChatServer, good_answer, save_tiny_language_model

URL = "http://127.0.0.1:9/v1"
KEY = "sk-0123456789abcdef"
QUESTIONS = make_questions(["sit down", "stand up", "throw"], "m")


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.mark.usefixtures("openai")
class TestChatModel:
    def test_plain_text_where_json_is_refused(self) -> None:
        with ChatServer(schema=False) as server:
            model = ChatModel("m", server.url)
            for question in QUESTIONS[:3]:
                assert parse_answer(question.kind, model.ask(question).text)
        form = server.bodies[0].pop("response_format")
        assert form["json_schema"]["schema"] == json_schema("paragraph")
        # It is refused once, and not asked for again.
        assert ["response_format" in body for body in server.bodies] == 4 * [False]

    def test_a_refused_question_says_nothing_of_json(self) -> None:
        refused = QUESTIONS[0].prompt
        with ChatServer(lambda p, _: 422 if p == refused else good_answer(p)) as server:
            model = ChatModel("m", server.url)
            with pytest.raises(GenerationError, match="status 422"):
                model.ask(QUESTIONS[0])
            model.ask(QUESTIONS[1])
            assert "response_format" in server.bodies.pop()
            model.stopped.set()
            with pytest.raises(GenerationError, match="stopped"):
                model.ask(QUESTIONS[2])
            assert len(server.bodies) == 2

    def test_waits_of_the_client(self, monkeypatch: pytest.MonkeyPatch) -> None:
        doubled = [(18.0, 25.0), (37.0, 50.0), (45.0, 60.0), (45.0, 60.0)]
        for retry_after, waits in (("", doubled), ("9", 4 * [(9.0, 9.0)])):
            slept: list[float] = []
            with ChatServer(lambda *_: 503, retry_after=retry_after) as server:
                model = ChatModel("m", server.url, max_retries=4, retry_delay=25.0)
                monkeypatch.setattr(time, "sleep", slept.append)
                with pytest.raises(GenerationError):
                    model.ask(QUESTIONS[0])
            assert len(slept) == len(waits)
            for wait, (least, most) in zip(slept, waits):
                assert least <= wait <= most

    def test_bad_key_or_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for key, address, problem in (
            ("  ", None, f"set {KEY_VARIABLE}"),
            ("sk-secret\nsecond", URL, KEY_VARIABLE),
            ("sk-s\u00e9cret", URL, KEY_VARIABLE),
            ("sk secret", URL, KEY_VARIABLE),
            (KEY, "localhost:8000", "--base-url must start with"),
        ):
            monkeypatch.setenv(KEY_VARIABLE, key)
            with pytest.raises(ValueError, match=problem) as caught:
                ChatModel("m", address)
            assert "sk" not in str(caught.value)

        monkeypatch.delenv(KEY_VARIABLE)
        monkeypatch.setenv("OPENAI_BASE_URL", URL)
        ChatModel("m")  # needs no key
        monkeypatch.setitem(sys.modules, "openai", None)
        with pytest.raises(ImportError, match=r"pip install openai.*--backend"):
            ChatModel("m", URL)

    def test_no_exception_shows_the_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model = ChatModel("m", f"http://user:password@127.0.0.1:9/{KEY}", max_retries=0)

        def fail(**options: Any) -> None:
            raise RuntimeError(f"Illegal header value b'Bearer {KEY}'")

        for message in (r"127\.0\.0\.1:9.*Connection error", r"Bearer \[hidden\]"):
            with pytest.raises(GenerationError, match=message) as caught:
                model.ask(QUESTIONS[0])
            assert KEY not in str(caught.value) and "password" not in str(caught.value)
            assert caught.value.__cause__ is caught.value.__context__ is None
            monkeypatch.setattr(model._client.chat.completions, "create", fail)
        mask = ChatModel("m", f"http://user:EMPTY@localhost/{KEY}")._mask
        assert mask(f"EMPTY {KEY} {KEY}/more") == "[hidden] [hidden] [hidden]/more"
        # A short key may be a word of an answer.
        assert mask(f"EMPTY {KEY}", 12) == "EMPTY [hidden]"
        for key, text in (("hidden", "is hidden"), ("a/b+c", "at a%2Fb%2Bc")):
            monkeypatch.setenv(KEY_VARIABLE, key)
            assert ChatModel("m", URL)._mask(text).endswith(" [hidden]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_language_model(tmp_path_factory.mktemp("a"), template=False)


class TestLocalModel:
    questions = make_questions(["put on a shoe"], "m", samples=2, system="< >")

    def test_answers(self, folder: str) -> None:
        model = LocalModel(folder, max_tokens=6)
        state = torch.get_rng_state()
        answers = [model.ask(question) for question in self.questions]
        assert torch.equal(torch.get_rng_state(), state)
        # Two samples of the same prompt.
        assert answers[0].text != answers[1].text
        for answer in answers:
            assert 1 <= (answer.tokens_out or 0) <= 6
            assert answer.cut_off or answer.tokens_out != 6
        # In any order, in another run: it depends on question and seed.
        again = LocalModel(folder, max_tokens=6)
        texts = [again.ask(question).text for question in reversed(self.questions)]
        assert texts[::-1] == [answer.text for answer in answers]
        other = LocalModel(folder, max_tokens=6, seed=1)
        assert other.ask(self.questions[0]).text != answers[0].text
        # Greedy, and cut off.
        model = LocalModel(folder, temperature=0.0, max_tokens=3)
        assert model.ask(self.questions[0]).text == model.ask(self.questions[1]).text
        end = model._model.generation_config.eos_token_id
        cut_off = [model._is_cut_off(t) for t in ([5, end], [5, 5, end], [5, 5, 5])]
        assert cut_off == [False, False, True]

    def test_chat_template(self, folder: str, tmp_path: Path) -> None:
        def text_of(model: LocalModel) -> list[str]:
            ids = model._encode(self.questions[0])["input_ids"][0]
            return model._tokenizer.decode(ids).split()

        plain = text_of(LocalModel(folder))
        assert len(plain) == len(f"< > {self.questions[0].prompt}".split())
        chat = LocalModel(save_tiny_language_model(tmp_path, True))
        assert text_of(chat) == ["<", "user", ">", *plain, "<", "head", ">"]
        with pytest.raises(GenerationError, match="no language model can be read"):
            LocalModel(str(tmp_path / "none"))


def good(question: Question) -> str:
    return good_answer(question.prompt)


class ScriptedModel:
    def __init__(self, script: Callable[[Question], str] = good) -> None:
        self.script = script
        self.asked: list[Question] = []
        self.stopped = threading.Event()

    def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        return Answer(question, self.script(question))


class TestCollectAnswers:
    @pytest.fixture
    def journal(self, tmp_path: Path) -> Iterator[Journal]:
        with open_journal(tmp_path / "journal.jsonl") as opened:
            yield opened

    def test_keeps_what_is_under_way(self, journal: Journal) -> None:
        failed = threading.Event()
        model = ScriptedModel()

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

    def test_interrupt_keeps_what_is_under_way(self, journal: Journal) -> None:
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
