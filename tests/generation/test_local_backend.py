"""A random language model answers: nonsense, but always the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gap_mmaction.generation.errors import GenerationError
from gap_mmaction.generation.local_backend import LocalBackend
from gap_mmaction.generation.question import make_questions
from tests.generation.common import save_tiny_language_model

QUESTIONS = make_questions(["put on a shoe"], "m", samples=2, system="< >")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_language_model(tmp_path_factory.mktemp("plain"), template=False)


def test_answers(model: str) -> None:
    backend = LocalBackend(model, max_tokens=6)
    state = torch.get_rng_state()
    replies = [backend.ask(question) for question in QUESTIONS]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(reply.text for reply in replies)
    # Two samples of the same prompt.
    assert replies[0].text != replies[1].text
    assert replies[0].tokens_in == replies[1].tokens_in
    for reply in replies:
        assert reply.tokens_out is not None
        assert 1 <= reply.tokens_out <= 6
        assert reply.cut_off or reply.tokens_out < 6
    # In any order, in another run: the answer depends on the question and the seed.
    again = LocalBackend(model, max_tokens=6)
    assert [again.ask(q) for q in reversed(QUESTIONS)] == replies[::-1]
    other = LocalBackend(model, max_tokens=6, seed=1)
    assert [other.ask(question) for question in QUESTIONS] != replies


def test_greedy(model: str) -> None:
    backend = LocalBackend(model, temperature=0.0, max_tokens=4)
    first, second = (backend.ask(question).text for question in QUESTIONS[:2])
    assert first == second


def test_end_of_the_answer(model: str) -> None:
    backend = LocalBackend(model, max_tokens=3)
    end = backend._model.generation_config.eos_token_id
    assert not backend._is_cut_off([5, end])
    assert not backend._is_cut_off([5, 5, end])
    assert backend._is_cut_off([5, 5, 5])


def test_chat_template(model: str, tmp_path: Path) -> None:
    def text_of(backend: LocalBackend) -> str:
        return backend._tokenizer.decode(backend._encode(QUESTIONS[0])["input_ids"][0])

    prompt = f"< > {QUESTIONS[0].prompt}"
    known = [w if w != "shoe" else "[UNK]" for w in prompt.split()]
    plain = text_of(LocalBackend(model)).split()
    assert len(plain) == len(known)
    chat = LocalBackend(save_tiny_language_model(tmp_path, template=True))
    assert text_of(chat).split() == ["<", "user", ">", *plain, "<", "head", ">"]
    assert chat.ask(QUESTIONS[0]).tokens_in == len(plain) + 6


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="no language model can be read there"):
        LocalBackend(str(tmp_path))
