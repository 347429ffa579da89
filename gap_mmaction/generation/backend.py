"""What every way to ask a model offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .question import Question


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Attributes:
        text: The answer; empty if there was none.
        cut_off: Whether it ended at the limit of tokens.
        model: The model that answered, by its own account; empty if it does not say.
        tokens_in: Tokens of the question, if they were counted.
        tokens_out: Tokens of the answer, if they were counted.
    """

    text: str
    cut_off: bool = False
    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None


class Backend(Protocol):
    """A language model."""

    def ask(self, question: Question) -> Reply:
        """Put a question once.

        Raises:
            TemporaryError: If it may be put again.
            GenerationError: If that would not help.
        """
