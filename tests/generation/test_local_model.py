"""A random language model answers: nonsense, but always the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gap_mmaction.generation.journal import GenerationError
from gap_mmaction.generation.language_models import LocalModel
from gap_mmaction.generation.prompts import make_questions
from tests.generation.common import save_tiny_language_model

QUESTIONS = make_questions(["put on a shoe"], "m", samples=2, system="< >")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_language_model(tmp_path_factory.mktemp("plain"), template=False)


def test_answers(folder: str) -> None:
    model = LocalModel(folder, max_tokens=6)
    state = torch.get_rng_state()
    answers = [model.ask(question) for question in QUESTIONS]
    assert torch.equal(torch.get_rng_state(), state)
    # Two samples of the same prompt.
    assert answers[0].text != answers[1].text
    assert answers[0].tokens_in == answers[1].tokens_in
    for answer in answers:
        assert answer.text
        assert answer.tokens_out is not None
        assert 1 <= answer.tokens_out <= 6
        assert answer.cut_off or answer.tokens_out < 6
    # In any order, in another run: the answer depends on the question and the seed.
    again = LocalModel(folder, max_tokens=6)
    texts = [again.ask(question).text for question in reversed(QUESTIONS)]
    assert texts[::-1] == [answer.text for answer in answers]
    other = LocalModel(folder, max_tokens=6, seed=1)
    assert [other.ask(question).text for question in QUESTIONS] != texts[::-1]


def test_greedy_and_cut_off(folder: str) -> None:
    model = LocalModel(folder, temperature=0.0, max_tokens=3)
    assert model.ask(QUESTIONS[0]).text == model.ask(QUESTIONS[1]).text
    end = model._model.generation_config.eos_token_id
    assert not model._is_cut_off([5, end])
    assert not model._is_cut_off([5, 5, end])
    assert model._is_cut_off([5, 5, 5])


def test_chat_template(folder: str, tmp_path: Path) -> None:
    def text_of(model: LocalModel) -> list[str]:
        ids = model._encode(QUESTIONS[0])["input_ids"][0]
        return model._tokenizer.decode(ids).split()

    plain = text_of(LocalModel(folder))
    assert len(plain) == len(f"< > {QUESTIONS[0].prompt}".split())
    chat = LocalModel(save_tiny_language_model(tmp_path, True), max_tokens=4)
    assert text_of(chat) == ["<", "user", ">", *plain, "<", "head", ">"]
    assert chat.ask(QUESTIONS[0]).tokens_in == len(plain) + 6


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="no language model can be read there"):
        LocalModel(str(tmp_path))
