"""What is asked: the paper's three prompts about each label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gap_mmaction.models.text.descriptions import PARTS, load_descriptions
from gap_mmaction.utils.paths import find_description_file

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

    Attributes:
        label: The action.
        kind: Which of ``PROMPTS``.
        sample: Which of several answers to the same prompt, from 0.
        model: The model's name.
        prompt: The prompt with the label in its place.
        system: What the model is told beforehand; empty for nothing.
    """

    label: str
    kind: str
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
    fields = dict.fromkeys(PARTS if kind == "parts" else (kind,), text)
    if kind == "synonyms":
        fields = {kind: {"type": "array", "items": text}}
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def estimate_tokens(questions: Iterable[Question]) -> tuple[int, int]:
    """Estimates the tokens of questions and of their answers."""
    tokens_in = tokens_out = 0
    for question in questions:
        for text in filter(None, (question.prompt, question.system)):
            tokens_in += -(-len(text) // _LETTERS_PER_TOKEN) + _TOKENS_PER_MESSAGE
        tokens_out += _ANSWER_TOKENS[question.kind]
    return tokens_in, tokens_out


def read_labels(path: Path) -> list[str]:
    """Reads labels.

    Args:
        path: A description file (``.yaml`` or ``.yml``), the name of one that ships,
            or a text file with one label a line, in the order of the class indices;
            empty lines and lines that start with ``#`` are passed over.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is no such file, holds no label, or one twice.
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
