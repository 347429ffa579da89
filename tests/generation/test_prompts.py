"""The prompts are the paper's, and every label gets each."""

from __future__ import annotations

from gap_mmaction.generation.estimate import ANSWER_TOKENS, Estimate
from gap_mmaction.generation.prompts import PROMPTS
from gap_mmaction.generation.question import make_questions


def test_wording_is_the_papers() -> None:
    # GAP, Fig. 5.
    assert [prompt.fill("put on a shoe") for prompt in PROMPTS] == [
        'Describe a person "put on a shoe" in details.',
        'Suggest 10 synonyms for "put on a shoe"',
        'Describing following body parts actions when "put on a shoe": head, hand, '
        "arm, hip, leg, foot.",
    ]


def test_questions() -> None:
    questions = make_questions(["a", "b"], "m", samples=2)
    assert len(questions) == len(set(questions)) == 2 * 3 * 2
    assert len({question.key for question in questions}) == 12
    assert [question.label for question in questions] == ["a"] * 6 + ["b"] * 6
    assert str(questions[1]) == "a: paragraph (sample 2)"


def test_digest_is_of_model_and_prompt() -> None:
    (first, *_) = make_questions(["a"], "m")
    assert make_questions(["a"], "m")[0].digest == first.digest
    assert make_questions(["a"], "n")[0].digest != first.digest
    assert make_questions(["a"], "m", system="short")[0].digest != first.digest
    # More samples do not change the first.
    assert make_questions(["a"], "m", samples=5)[0].key == first.key


def test_estimate() -> None:
    questions = make_questions(["a", "b"], "m")
    estimate = Estimate.of(questions)
    assert estimate.questions == 6
    assert estimate.tokens_out == 2 * sum(ANSWER_TOKENS.values())
    letters = sum(len(question.prompt) for question in questions)
    assert letters / 4 < estimate.tokens_in < letters / 4 + 6 * 10
    cost = (estimate.tokens_in * 0.5 + estimate.tokens_out * 2) / 1_000_000
    assert estimate.cost(0.5, 2.0) == cost
    assert Estimate.of(make_questions(["a"], "m", system="s")).tokens_in > (
        Estimate.of(make_questions(["a"], "m")).tokens_in
    )
