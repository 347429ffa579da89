"""The client's settings, the server's wishes, and the key."""

from __future__ import annotations

import sys
import time
from email.utils import formatdate
from typing import Any

import pytest

from gap_mmaction.generation.chat_backend import (
    KEY_VARIABLE,
    ChatBackend,
    parse_retry_after,
)
from gap_mmaction.generation.errors import GenerationError, TemporaryError
from gap_mmaction.generation.question import make_questions
from gap_mmaction.generation.scrubber import Scrubber

URL = "http://127.0.0.1:9/v1"
KEY = "sk-0123456789abcdef"
(QUESTION, *_) = make_questions(["throw"], "m")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], wait: float | None) -> None:
    assert parse_retry_after(headers) == wait


def test_retry_after_a_date() -> None:
    wait = parse_retry_after({"retry-after": formatdate(time.time() + 100)})
    assert wait is not None
    assert 90 < wait <= 100


def test_retries_are_ours() -> None:
    backend = ChatBackend("m", URL, timeout=7.0)
    assert backend._client.max_retries == 0
    assert backend._client.timeout == 7.0


def test_nobody_listens() -> None:
    with pytest.raises(TemporaryError, match=r"127\.0\.0\.1:9.*Connection error"):
        ChatBackend("m", URL).ask(QUESTION)


def test_key_is_needed_for_openai_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "  ")
    with pytest.raises(ValueError, match=f"set {KEY_VARIABLE}"):
        ChatBackend("m")
    ChatBackend("m", URL)
    monkeypatch.setenv("OPENAI_BASE_URL", URL)
    ChatBackend("m")


@pytest.mark.parametrize("key", ["sk-secret\nsecond", "sk-s\u00e9cret", "sk secret"])
def test_malformed_key_is_not_shown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key)
    with pytest.raises(ValueError, match=KEY_VARIABLE) as caught:
        ChatBackend("m", URL)
    assert "sk" not in str(caught.value)


def test_malformed_address() -> None:
    for address in ("localhost:8000", "ftp://localhost", "//localhost/v1"):
        with pytest.raises(ValueError, match="--base-url must start with"):
            ChatBackend("m", address)


def test_openai_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImportError, match=r"pip install openai.*--backend"):
        ChatBackend("m", URL)


def test_no_exception_shows_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = ChatBackend("m", f"http://user:password@127.0.0.1:9/{KEY}")

    def fail(**options: Any) -> None:
        raise RuntimeError(f"Illegal header value b'Bearer {KEY}'")

    with pytest.raises(TemporaryError) as reached:
        backend.ask(QUESTION)
    monkeypatch.setattr(backend._client.chat.completions, "create", fail)
    with pytest.raises(GenerationError, match=r"Bearer \[hidden\]") as caught:
        backend.ask(QUESTION)
    for error in (reached.value, caught.value):
        assert KEY not in str(error)
        assert "password" not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__


def test_scrubber() -> None:
    scrubber = Scrubber(("EMPTY", "", KEY, f"{KEY}/more"))
    assert scrubber.message(f"EMPTY {KEY} {KEY}/more") == "[hidden] [hidden] [hidden]"
    # A short key may be a word of an answer.
    assert scrubber.answer(f"EMPTY {KEY}") == "EMPTY [hidden]"
    assert Scrubber(["hidden", KEY]).message(f"{KEY} hidden") == "[hidden] [hidden]"
    assert Scrubber([]).message("text") == "text"
    assert Scrubber(["a/b c"]).message("at a%2Fb%20c") == "at [hidden]"
