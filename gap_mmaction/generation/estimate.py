"""What a run is going to cost, roughly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .question import Question

ANSWER_TOKENS = {"paragraph": 250, "synonyms": 60, "parts": 180}
"""Tokens of an answer of each kind that are counted on."""

_LETTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 8  # what the chat format adds


@dataclass(frozen=True)
class Estimate:
    """Tokens of a number of questions and of their answers.

    Attributes:
        questions: How many questions.
        tokens_in: Tokens of the questions.
        tokens_out: Tokens of the answers.
    """

    questions: int
    tokens_in: int
    tokens_out: int

    @classmethod
    def of(cls, questions: Iterable[Question]) -> Estimate:
        """Estimate tokens, at four letters each for English text."""
        items = list(questions)
        texts = [text for q in items for text in (q.prompt, q.system) if text]
        return cls(
            len(items),
            sum(-(-len(t) // _LETTERS_PER_TOKEN) + _TOKENS_PER_MESSAGE for t in texts),
            sum(ANSWER_TOKENS[question.kind] for question in items),
        )

    def cost(self, price_in: float, price_out: float) -> float:
        """Compute the price, of prices per million tokens."""
        return (self.tokens_in * price_in + self.tokens_out * price_out) / 1e6
