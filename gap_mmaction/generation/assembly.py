"""From a journal's answers to the classes of a description file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gap_mmaction.models.text.descriptions import PARTS

from .answer_parser import Fields, parse_answer
from .journal import Answer, Answers
from .prompts import PROMPTS, Question

_FIELDS = ("synonyms", "paragraph", *PARTS)
# docs/descriptions.md: 50 words are safe for CLIP's 77 tokens, and a text of the
# default setting joins the label with two part sentences.
_MOST_WORDS = {"paragraph": 50, "hake": 50, **dict.fromkeys(PARTS, 20)}


@dataclass(frozen=True)
class Assembly:
    """The classes, the answers ``used`` for them, and the last one of each failure."""

    classes: list[Fields]  # with their labels, in the order of the questions
    used: list[Answer]
    failures: list[tuple[Answer, str]]  # could not be parsed, and why

    def missing(self) -> dict[str, list[str]]:
        """Lists the fields that a class lacks altogether, by label."""
        lacking = {
            str(fields["label"]): [name for name in _FIELDS if name not in fields]
            for fields in self.classes
        }
        return {label: names for label, names in lacking.items() if names}


def read_answer(answer: Answer) -> Fields:
    """Reads an answer; a ValueError says that it lacks what was asked for."""
    if answer.cut_off:
        raise ValueError("the answer was cut off at the limit, see --max-tokens")
    return parse_answer(answer.question.kind, answer.text)


def best_answer(answers: Sequence[Answer]) -> tuple[Answer, Fields]:
    """Chooses the newest that can be parsed; if none can, raises the newest's error."""
    for answer in reversed(answers):
        with suppress(ValueError):
            return answer, read_answer(answer)
    return answers[-1], read_answer(answers[-1])


def assemble(questions: Iterable[Question], answers: Answers) -> Assembly:
    """Puts the answers together: lists of the texts, of which none holds one twice.

    With one sample of each prompt the paragraph and the parts are texts.
    """
    texts: dict[str, dict[str, dict[str, str]]] = {}  # label, field, casefolded text
    used, failures, many = [], [], False
    for question in questions:
        many = many or question.sample > 0
        fields = texts.setdefault(question.label, {})
        try:
            answer, found = best_answer(answers[question])
        except ValueError as error:
            failures.append((answers[question][-1], str(error)))
            continue
        used.append(answer)
        for name, value in found.items():
            for text in [value] if isinstance(value, str) else value:
                fields.setdefault(name, {}).setdefault(text.casefold(), text)
    classes: list[Fields] = []
    for label, fields in texts.items():
        classes.append({"label": label})
        for name in filter(fields.__contains__, _FIELDS):
            listed = list(fields[name].values())
            classes[-1][name] = listed if many or name == "synonyms" else listed[0]
    return Assembly(classes, used, failures)


def make_header(
    dataset: str, model: str, samples: int, system: str, assembly: Assembly
) -> str:
    """Returns what stands at the top of the file: where the texts are from."""
    days = sorted({answer.time[:10] for answer in assembly.used}) or ["none"]
    served = {_line(answer.served_model) for answer in assembly.used}
    others = ", ".join(sorted(served - {"", model}))
    lines = [
        f"Action descriptions for {_line(dataset)} ({len(assembly.classes)} classes).",
        "",
        "MACHINE-GENERATED with tools/generate_descriptions.py, and not checked by a",
        "person: see docs/descriptions.md for what to check.",
        f"Model: {_line(model)}" + (f" (answered as {others})" if others else ""),
        f"Date: {' to '.join(dict.fromkeys((days[0], days[-1])))}",
        f"Samples of each prompt: {samples}",
        "Prompts (GAP, Fig. 5):",
        *(f"  {prompt}" for prompt in PROMPTS.values()),
    ]
    if system:
        lines.append(f"System message: {_line(system)}")
    missing = assembly.missing()
    if missing:
        lines += ["", "INCOMPLETE, as answers could not be parsed. Missing:"]
        lines += [f"  {_line(k)}: {', '.join(v)}" for k, v in missing.items()]
    return "\n".join(lines)


def _line(text: str) -> str:
    """Makes one line of a text, of signs that YAML allows in a comment."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def review(classes: Iterable[Mapping[str, str | Sequence[str]]]) -> list[str]:
    """Lists the texts that CLIP will cut off, and those that two classes share."""
    remarks = []
    owners: dict[tuple[str, str], str] = {}
    for fields in classes:
        label = str(fields["label"])
        for name, value in fields.items():
            for text in [value] if isinstance(value, str) else value:
                words = len(text.split())
                most = _MOST_WORDS.get(name, words)
                if words > most:
                    told = f"{words} words, CLIP may cut off what exceeds {most}"
                    remarks.append(f"{label}: {name}: {told}")
                owner = owners.setdefault((name, text.casefold()), label)
                if owner != label:
                    remarks.append(f"{label}: {name}: {text!r} serves {owner!r}, too")
    return remarks
