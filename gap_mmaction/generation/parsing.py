"""From an answer to the fields of a description file."""

from __future__ import annotations

import re
from typing import Union

from .answer_text import clean
from .errors import AnswerError
from .paragraph_parser import parse_paragraph
from .part_parser import parse_parts
from .synonym_parser import parse_synonyms

Fields = dict[str, Union[str, list[str]]]

_REFUSAL = re.compile(
    r"\s*(?:(?:i'm|i am) (?:sorry|unable|not able)|sorry\b|i (?:cannot|can't|can not)\b"
    r"|as an ai\b)",
    re.IGNORECASE,
)


def parse_answer(kind: str, answer: str) -> Fields:
    """Read an answer.

    Args:
        kind: Which of the prompts it answers.
        answer: The answer as it came.

    Returns:
        ``synonyms``, a list of ten; ``paragraph``; or the six parts.

    Raises:
        AnswerError: If it does not hold what was asked for; the error has the answer.
    """
    if not clean(answer).strip():
        raise AnswerError(kind, answer, "the answer is empty")
    if _REFUSAL.match(clean(answer)):
        raise AnswerError(kind, answer, "the model refused to answer")
    try:
        if kind == "synonyms":
            return {"synonyms": parse_synonyms(answer)}
        if kind == "paragraph":
            return {"paragraph": parse_paragraph(answer)}
        return dict(parse_parts(answer))
    except ValueError as error:
        raise AnswerError(kind, answer, str(error)) from None
