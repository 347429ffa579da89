"""From a journal's answers to the classes of a description file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gap_mmaction.models.text.descriptions import PARTS

from .errors import AnswerError
from .parsing import Fields, parse_answer
from .question import Question
from .record import Record

_ORDER = ("synonyms", "paragraph", *PARTS)


@dataclass(frozen=True)
class Assembly:
    """What the answers come to.

    Attributes:
        classes: The label and the fields of each class, in the order of the questions.
        used: The answers that the fields are from.
        failures: The questions whose answers could not be parsed, and why.
    """

    classes: list[Fields]
    used: list[Record]
    failures: list[tuple[Question, AnswerError]]

    def missing(self) -> dict[str, list[str]]:
        """List the fields that a class lacks altogether, by label."""
        lacking = {}
        for fields in self.classes:
            names = [name for name in _ORDER if name not in fields]
            if names:
                lacking[str(fields["label"])] = names
        return lacking


def parse_record(record: Record) -> Fields:
    """Read a journal's answer.

    Raises:
        AnswerError: If it is cut off, or does not hold what was asked for.
    """
    if record.cut_off:
        raise AnswerError(
            record.kind,
            record.answer,
            "the answer was cut off at the limit of tokens, see --max-tokens",
        )
    return parse_answer(record.kind, record.answer)


def best_answer(records: Sequence[Record]) -> tuple[Record, Fields]:
    """Choose among the answers to a question: the newest that can be parsed.

    Raises:
        AnswerError: If none can, that of the newest.
    """
    problem: AnswerError | None = None
    for record in reversed(records):
        try:
            return record, parse_record(record)
        except AnswerError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def assemble(
    questions: Iterable[Question], answers: Mapping[Question, Sequence[Record]]
) -> Assembly:
    """Put the answers together.

    With one sample of each prompt the paragraph and the parts are texts, with more
    they are lists; synonyms are a list in any case. No list holds a text twice.

    Args:
        questions: What was asked, in order.
        answers: The answers to each question, at least one, the newest last.
    """
    classes: dict[str, dict[str, list[str]]] = {}
    used, failures = [], []
    many = False
    for question in questions:
        many = many or question.sample > 0
        texts = classes.setdefault(question.label, {})
        try:
            record, fields = best_answer(answers[question])
        except AnswerError as error:
            failures.append((question, error))
            continue
        used.append(record)
        for name, value in fields.items():
            _merge(texts.setdefault(name, []), value)
    return Assembly(
        [_fields(label, texts, many) for label, texts in classes.items()],
        used,
        failures,
    )


def _merge(texts: list[str], value: str | list[str]) -> None:
    known = {text.casefold() for text in texts}
    for text in [value] if isinstance(value, str) else value:
        if text.casefold() not in known:
            known.add(text.casefold())
            texts.append(text)


def _fields(label: str, texts: Mapping[str, list[str]], many: bool) -> Fields:
    fields: Fields = {"label": label}
    for name in _ORDER:
        if name in texts:
            listed = many or name == "synonyms"
            fields[name] = texts[name] if listed else texts[name][0]
    return fields
