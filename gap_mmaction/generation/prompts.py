"""What is asked: the paper's three prompts about each label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gap_mmaction.models.text.descriptions import PARTS, load_descriptions
from gap_mmaction.utils.files import find_description_file

NUM_SYNONYMS = 10

# The wording is the paper's: GAP, Fig. 5.
PROMPTS = {
    "paragraph": 'Describe a person "<action>" in details.',
    "synonyms": f'Suggest {NUM_SYNONYMS} synonyms for "<action>"',
    "parts": 'Describing following body parts actions when "<action>": '
    f"{', '.join(PARTS)}.",
}
"""The prompt of each kind, with ``<action>`` where the label goes."""

_LETTERS_PER_TOKEN = 4  # of English text
_TOKENS_PER_MESSAGE = 8  # what the chat format adds
_ANSWER_TOKENS = {"paragraph": 250, "synonyms": 60, "parts": 180}


@dataclass(frozen=True)
class Question:
    """One prompt about one action, put to one model.

    ``sample`` tells answers to the same ``prompt`` apart; ``system`` is what the
    model is told beforehand.
    """

    label: str
    kind: str  # of PROMPTS
    sample: int
    model: str
    prompt: str
    system: str = ""

    def __str__(self) -> str:
        which = f" (sample {self.sample + 1})" if self.sample else ""
        return f"{self.label}: {self.kind}{which}"


def make_questions(
    labels: Iterable[str], model: str, samples: int = 1, system: str = ""
) -> list[Question]:
    """Lists ``samples`` questions of each kind about each label, label by label."""
    return [
        Question(label, kind, i, model, prompt.replace("<action>", label), system)
        for label in labels
        for kind, prompt in PROMPTS.items()
        for i in range(samples)
    ]


def json_schema(kind: str) -> dict[str, Any]:
    """Returns the JSON schema of the answers to a kind of prompt."""
    text: dict[str, Any] = {"type": "string"}
    value = {"type": "array", "items": text} if kind == "synonyms" else text
    fields = dict.fromkeys(PARTS if kind == "parts" else (kind,), value)
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def estimate_tokens(questions: Sequence[Question]) -> tuple[int, int]:
    """Estimates the tokens of questions and of their answers."""
    texts = [text for q in questions for text in (q.prompt, q.system) if text]
    tokens = [-(-len(text) // _LETTERS_PER_TOKEN) for text in texts]
    answers = sum(_ANSWER_TOKENS[question.kind] for question in questions)
    return sum(tokens) + len(texts) * _TOKENS_PER_MESSAGE, answers


def read_labels(path: Path) -> list[str]:
    """Reads the labels of a file, in the order of the class indices.

    It is a description file (``.yaml`` or ``.yml``), the name of one that ships, or a
    text file with one label a line and comments (``#``). A file without labels, or
    with one twice, is a ValueError.
    """
    if not path.exists():
        path = find_description_file(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        # What it includes adds fields, no labels, and may be yet to be written.
        return [action.label for action in load_descriptions(path, include=False)]
    lines = read_lines(path)
    check_one_a_line(path, lines.values())
    seen: dict[str, int] = {}
    for number, line in lines.items():
        label = " ".join(line.split())
        if label in seen:
            raise ValueError(
                f"{path}, line {number}: the label {label!r} stands at line "
                f"{seen[label]} already; every class needs a label of its own"
            )
        if not label.startswith("#"):
            seen[label] = number
    if not seen:
        raise ValueError(f"{path} holds no label; write one a line")
    return list(seen)


def read_lines(path: Path) -> dict[int, str]:
    """Reads the lines of a text file that are not empty, by their numbers from 1."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text, save it as such: {error}") from None
    return {i: line for i, line in enumerate(lines, start=1) if line.strip()}


def check_one_a_line(path: Path, lines: Iterable[str]) -> None:
    """Raises a ValueError if a separator stands in every one of several lines."""
    filled = [line.strip() for line in lines]
    # A label may well have one comma.
    for separator, least in ((";", 1), (",", 2), ("\t", 1)):
        if len(filled) > 1 and all(line.count(separator) >= least for line in filled):
            raise ValueError(
                f"{path}: every line is separated by {separator!r}; give a list of "
                "labels, one a line and nothing else, or a description file (.yaml)"
            )
