"""What can go wrong while a model is asked."""

from __future__ import annotations


class GenerationError(RuntimeError):
    """No more answers can be had; the message says why and what to do."""


class TemporaryError(RuntimeError):
    """A question was not answered and may be put again.

    Attributes:
        retry_after: Seconds to wait that the server asks for, if it does.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AnswerError(ValueError):
    """An answer that does not hold what was asked for.

    Attributes:
        kind: Which prompt it answers.
        answer: The answer as it came.
        reason: What is wrong with it.
    """

    def __init__(self, kind: str, answer: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.answer = answer
        self.reason = reason
