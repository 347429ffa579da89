"""Ten synonyms out of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .answer_text import Line, find_json, read_lines, tidy
from .prompts import NUM_SYNONYMS

_LONGEST = 12  # words; what is longer is a sentence
_NUMBER = re.compile(r"(?:^|\s)\(?\d{1,2}[.)]\s+")
_SEPARATOR = re.compile(r"[,;\n]")
# "don: to put on", "don - formal", "don (formal)"
_EXPLANATION = re.compile(r"\s+[-\u2013\u2014=]+\s+|:\s+|\s+\(")
_TALK = re.compile(r"\bsynonyms?\b|^(?:sure|certainly|of course|okay)\b", re.IGNORECASE)


def parse_synonyms(answer: str) -> list[str]:
    """Read the synonyms.

    They may be numbered, marked with bullets, one a line, or in one line between
    commas or semicolons, with or without explanations.

    Args:
        answer: The answer as it came.

    Returns:
        The first ten, none twice.

    Raises:
        ValueError: If there are fewer, or sentences among them.
    """
    found: dict[str, str] = {}
    for item in _items(answer):
        phrase = re.sub(r"^(?:and|or)\s+", "", tidy(item))
        if any(sign.isalpha() for sign in phrase) and not _TALK.search(phrase):
            found.setdefault(phrase.casefold(), phrase)
    phrases = list(found.values())[:NUM_SYNONYMS]
    if len(phrases) < NUM_SYNONYMS:
        raise ValueError(f"{len(phrases)} of {NUM_SYNONYMS} synonyms found")
    for phrase in phrases:
        if len(phrase.split()) > _LONGEST:
            raise ValueError(f"{phrase!r} is a sentence, not a synonym")
    return phrases


def _items(answer: str) -> Iterable[str]:
    data = find_json(answer)
    if isinstance(data, dict) and len(data) == 1:
        (data,) = data.values()
    if isinstance(data, list):
        return [item for item in data if isinstance(item, str)]
    lines = read_lines(answer)
    listed = [line for line in lines if line.listed]
    if len(listed) > 1:
        return _of_list(listed)
    rest = [_introduced(line.text) for line in lines if not line.heading]
    text = "\n".join(line for line in rest if not line.endswith(":"))
    items = [item for item in _NUMBER.split(text) if item.strip()]
    if len(items) < NUM_SYNONYMS:
        items = _SEPARATOR.split(text)
    return [_EXPLANATION.split(item)[0] for item in items]


def _introduced(text: str) -> str:
    """Take the introduction off: ``Synonyms for "sit down": ...``."""
    head, colon, rest = text.partition(":")
    return rest if colon and "synonym" in head.lower() else text


def _of_list(lines: list[Line]) -> Iterator[str]:
    margin = min(line.indent for line in lines)
    items = [line.text for line in lines if line.indent == margin]
    if len(items) >= NUM_SYNONYMS:
        # One synonym an item; what is indented explains it.
        yield from (_EXPLANATION.split(item)[0] for item in items)
        return
    for line in lines:
        # Several an item, perhaps after a heading: "Formal: don, slip into"
        head, _, rest = line.text.partition(": ")
        several = rest if _SEPARATOR.search(rest) else head
        yield from (_EXPLANATION.split(item)[0] for item in _SEPARATOR.split(several))
