"""The client's settings, JSON where the server has it, and the key."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pytest

from gap_mmaction.generation.answer_parser import parse_answer
from gap_mmaction.generation.journal import GenerationError
from gap_mmaction.generation.language_models import KEY_VARIABLE, ChatModel
from gap_mmaction.generation.prompts import json_schema, make_questions
from gap_mmaction.models.text.descriptions import PARTS
from tests.generation.chat_server import Action, ChatServer
from tests.generation.common import good_answer

openai = pytest.importorskip("openai")
URL = "http://127.0.0.1:9/v1"
KEY = "sk-0123456789abcdef"
QUESTIONS = make_questions(["throw"], "m")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


def test_json_is_asked_for() -> None:
    answer = json.dumps({part: f"moves its {part}" for part in PARTS})
    with ChatServer(lambda prompt, attempt: answer) as server:
        reply = ChatModel("m", server.url).ask(QUESTIONS[2])
    form = server.bodies[0]["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"] == json_schema("parts")
    assert parse_answer("parts", reply.text)["hip"] == "moves its hip"


def test_plain_text_where_json_is_refused() -> None:
    with ChatServer(lambda prompt, _: good_answer(prompt), schema=False) as server:
        model = ChatModel("m", server.url)
        for question in QUESTIONS:
            assert parse_answer(question.kind, model.ask(question).text)
    # It is refused once, and not asked for again.
    assert ["response_format" in body for body in server.bodies] == [True, *3 * [False]]


def test_a_refused_question_says_nothing_of_json() -> None:
    def script(prompt: str, attempt: int) -> Action:
        return good_answer(prompt) if prompt == QUESTIONS[1].prompt else 422

    with ChatServer(script) as server:
        model = ChatModel("m", server.url)
        with pytest.raises(GenerationError, match="status 422"):
            model.ask(QUESTIONS[0])
        model.ask(QUESTIONS[1])
    assert "response_format" in server.bodies[-1]


@pytest.mark.parametrize(
    ("retry_after", "delay", "waits"),
    [
        ("", 7.0, [(5.2, 7.0), (10.5, 14.0), (21.0, 28.0), (42.0, 56.0)]),
        ("", 50.0, [(37.0, 50.0), *3 * [(45.0, 60.0)]]),
        ("9", 7.0, 4 * [(9.0, 9.0)]),
    ],
)
@pytest.mark.parametrize("action", [503, b'{"error": "no credit"}'])
def test_waits_of_the_client(
    monkeypatch: pytest.MonkeyPatch,
    action: Action,
    retry_after: str,
    delay: float,
    waits: list[tuple[float, float]],
) -> None:
    slept: list[float] = []
    with ChatServer(lambda *_: action, retry_after=retry_after) as server:
        model = ChatModel("m", server.url, max_retries=4, retry_delay=delay)
        monkeypatch.setattr(time, "sleep", slept.append)
        with pytest.raises(GenerationError):
            model.ask(QUESTIONS[0])
        assert server.num_asked == 5
    assert len(slept) == len(waits)
    for wait, (least, most) in zip(slept, waits):
        assert least <= wait <= most


def test_stopped() -> None:
    with ChatServer(lambda *_: 500) as server:
        model = ChatModel("m", server.url, retry_delay=0.0)
        model.stopped.set()
        with pytest.raises(GenerationError, match="stopped"):
            model.ask(QUESTIONS[0])
        assert server.num_asked == 0


def test_key_is_needed_for_openai_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "  ")
    with pytest.raises(ValueError, match=f"set {KEY_VARIABLE}"):
        ChatModel("m")
    ChatModel("m", URL)
    monkeypatch.setenv("OPENAI_BASE_URL", URL)
    ChatModel("m")


@pytest.mark.parametrize("key", ["sk-secret\nsecond", "sk-s\u00e9cret", "sk secret"])
def test_malformed_key_is_not_shown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)
    with pytest.raises(ValueError, match=KEY_VARIABLE) as caught:
        ChatModel("m", URL)
    assert "sk" not in str(caught.value)


def test_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("localhost:8000", "ftp://localhost", "//localhost/v1"):
        with pytest.raises(ValueError, match="--base-url must start with"):
            ChatModel("m", address)
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImportError, match=r"pip install openai.*--backend"):
        ChatModel("m", URL)


def test_no_exception_shows_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ChatModel("m", f"http://user:password@127.0.0.1:9/{KEY}", max_retries=0)

    def fail(**options: Any) -> None:
        raise RuntimeError(f"Illegal header value b'Bearer {KEY}'")

    with pytest.raises(GenerationError, match=r"127\.0\.0\.1:9.*Connection error") as e:
        model.ask(QUESTIONS[0])
    monkeypatch.setattr(model._client.chat.completions, "create", fail)
    with pytest.raises(GenerationError, match=r"Bearer \[hidden\]") as caught:
        model.ask(QUESTIONS[0])
    for error in (e.value, caught.value):
        assert KEY not in str(error)
        assert "password" not in str(error)
        assert error.__cause__ is error.__context__ is None


def test_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ChatModel("m", f"http://user:EMPTY@localhost/{KEY}")
    assert model._mask(f"EMPTY {KEY} {KEY}/more") == "[hidden] [hidden] [hidden]/more"
    # A short key may be a word of an answer.
    assert model._mask(f"EMPTY {KEY}", 12) == "EMPTY [hidden]"
    for key, text in (("hidden", "is hidden"), ("a/b+c", "at a%2Fb%2Bc")):
        monkeypatch.setenv(KEY_VARIABLE, key)
        assert ChatModel("m", URL)._mask(text).endswith(" [hidden]")
