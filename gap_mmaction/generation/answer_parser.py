"""Reads answers: JSON, or any of the forms in which models write lists and texts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple, Union

from gap_mmaction.models.text.descriptions import PARTS

from .prompts import NUM_SYNONYMS

Fields = dict[str, Union[str, list[str]]]

_REFUSAL = re.compile(
    r"(?:(?:i'm|i am) (?:sorry|unable|not able)|sorry|i (?:cannot|can't|can not)"
    r"|as an ai)\b",
    re.IGNORECASE,
)
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_THOUGHT = re.compile(r"^.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_JSON = re.compile(r"^\s*[{[]", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~).*$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+|^(\*\*|__)(?:(?!\1).)+(?<![.!?;])\1$")
_MARKUP = re.compile(r"^#{1,6}\s+|\*\*|__|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)")
_MARKER = re.compile(
    r"^(?:(?:[-*+\u2022\u2023\u25E6\u2013\u2014]|\*{3})\s+|\(?\d{1,2}[.):]\)?\s+)"
)
_CHATTER = re.compile(
    r"^(?:sure|certainly|of course|absolutely|okay|ok|here (?:is|are)|here's)\b"
    r".*[:!]$|^(?:let me know|would you like|i hope|feel free|do you want|"
    r"if you(?:'d| would)? (?:like|want|need))\b",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"^a(?:nswer)?\s*:\s*", re.IGNORECASE)

_FEWEST_WORDS = 5  # of a paragraph
_MOST_WORDS = 12  # of a synonym; what is longer is a sentence
_NUMBER = re.compile(r"(?:^|\s)\(?\d{1,2}[.)]\s+")
_SEPARATOR = re.compile(r"[,;\n]")
# "don: to put on", "don - formal", "don (formal)"
_EXPLANATION = re.compile(r"\s+[-\u2013\u2014=]+\s+|:\s+|\s+\(")
_TALK = re.compile(
    r"\bsynonym|^(?:sure|certainly|of course|okay|ok)(?:[.!,:]|$)", re.IGNORECASE
)
_LEFTOVER = re.compile(r"[|{}]")

_PART_OF = {**{p: p for p in PARTS}, **{f"{p}s": p for p in PARTS}, "feet": "foot"}
_LABEL = re.compile(
    r"^[\"']?([A-Za-z][A-Za-z ()/&,'-]{0,40}?)[\"']?\s*"
    r"(?::|\||\s[-\u2013\u2014=]\s|\u2014)\s*(.*)$"
)
# What a label may hold beside a part's name.
_LABEL_WORD = re.compile(
    r"the|his|her|their|left|right|both|upper|lower|and|or|of|part|position|action|neck"
    r"|face|gaze|torso|trunk|waist|pelvis|(?:movement|eye|shoulder|elbow|wrist|palm"
    r"|finger|thumb|thigh|knee|ankle|toe|heel)s?"
)
_OPENING = re.compile(
    r"^(?:(?:the|his|her|their|your|a|an|one|both|left|right|and|or|man's|person's|"
    r"woman's|while|meanwhile,?)\s+)*([a-z]+)\b",
    re.IGNORECASE,
)
_SENTENCE_END = r"(?<=[.!?])\s+|;\s*"
# A comma is a boundary only where a part follows.
_COMMA = rf",\s*(?=(?:and\s+)?(?:the\s+|his\s+|her\s+)?(?:{'|'.join(_PART_OF)})\b)"
_NOTHING = re.compile(r"^(?:n/?a|none|nothing|-+|null)?$", re.IGNORECASE)
# What begins a sentence of its own, before which a part's name would be wrong.
_SUBJECT = re.compile(
    r"(?:the|an?|he|she|they|it|his|her|their|one|both|there|this|these|as|while|when"
    r"|person|man|woman|fingers|toes|knees|elbows|shoulders|wrists|eyes)\b",
    re.IGNORECASE,
)


class _Line(NamedTuple):
    """A line of an answer, without its markup."""

    text: str
    listed: bool  # an item of a list
    heading: bool
    indent: int
    block: int  # number of the paragraph that it is in


def parse_answer(kind: str, answer: str) -> Fields:
    """Reads an answer, in JSON, markdown or plain text.

    Synonyms may be in a list or between commas, with or without explanations. Parts
    may have labels (``Head: tilts``), or sentences that start with their names. Returns
    ``synonyms``, a list of ten; ``paragraph``, in one line; or the six parts, each a
    phrase that names the part. A ValueError says that one of these is missing.
    """
    # Without thoughts and signs that are no text.
    text = _THOUGHT.sub("", answer).translate(_QUOTES)
    text = "".join(c for c in text if c.isprintable() or c.isspace()).strip()
    if not text:
        raise ValueError("the answer is empty")
    if _REFUSAL.match(text):
        raise ValueError("the model refused to answer")
    data = _find_json(text)
    fields: Fields
    if kind == "synonyms":
        fields = {"synonyms": _read_synonyms(text, data)}
    elif kind == "paragraph":
        text = data if isinstance(data, str) else text
        fields = {"paragraph": _read_paragraph(text)}
    else:
        fields = dict(_read_parts(text, data))
    for found in _leaves(fields):
        if _LEFTOVER.search(found):
            raise ValueError(f"{found!r} holds signs of a table or of JSON")
    return fields


def _find_json(text: str) -> Any:
    """Reads the JSON in an answer, without braces around braces; None without any."""
    match = _JSON.search(text)
    if not match:
        return None
    try:
        data, _ = json.JSONDecoder().raw_decode(text, match.end() - 1)
    except (ValueError, RecursionError):
        return None
    while isinstance(data, dict) and len(data) == 1:
        (data,) = data.values()
    return data


def _leaves(data: Any) -> list[str]:
    """Returns the texts in JSON, from outside to inside and from first to last."""
    if isinstance(data, (dict, list)):
        values = data.values() if isinstance(data, dict) else data
        return [leaf for value in values for leaf in _leaves(value)]
    return [data] if isinstance(data, str) else []


def _read_lines(text: str) -> list[_Line]:
    """Splits an answer into lines, and drops fences, rulers and chatter.

    A row of a table becomes "first cell: others"; its header is dropped.
    """
    lines: list[_Line] = []
    block = 0
    for raw in _FENCE.sub("", text).splitlines():
        body = raw.strip().lstrip("> ")
        if not any(sign.isalnum() for sign in body):
            is_ruler = {"|", "-"} <= set(body) <= set("|:- ")
            if is_ruler and lines and lines[-1].block == block:
                lines.pop()
            block += 1
            continue
        plain = _MARKER.sub("", body)
        heading = bool(_HEADING.match(plain))
        plain = _MARKUP.sub("", plain).strip(" \t|")
        # The marker itself may be in bold.
        text = _MARKER.sub("", plain)
        listed = bool(_MARKER.match(body)) or text != plain
        cells = [cell.strip() for cell in text.split("|")]
        if len(cells) > 1:
            # Without the numbers of the rows.
            first, *others = [c for c in cells if any(map(str.isalpha, c))] or [""]
            text = f"{first}: {', '.join(others)}" if others else first
            listed = True
        if not _CHATTER.match(text):
            text = _ANSWER.sub("", text)
            indent = len(raw) - len(raw.lstrip())
            lines.append(_Line(text, listed, heading, indent, block))
    return [line for line in lines if line.text]


def _tidy(text: str) -> str:
    """Makes a phrase: one line, small at first, no quotes, no mark at its end."""
    text = " ".join(text.split()).strip(" .,;:!|")
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip(" .,;:!")
    # "OK sign" keeps its capitals.
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _read_paragraph(text: str) -> str:
    lines = [line.text for line in _read_lines(text) if not line.heading]
    if len(lines) > 1 and lines[0].endswith(":"):
        del lines[0]
    text = " ".join(" ".join(lines).split())
    if text.count('"') == 2 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    if len(text.split()) < _FEWEST_WORDS:
        raise ValueError(f"{text!r} is no description")
    return text


def _read_synonyms(text: str, data: Any) -> list[str]:
    in_json = isinstance(data, (dict, list))
    items = _synonyms_in(data) if in_json else _split_synonyms(_read_lines(text))
    found: dict[str, str] = {}
    for item in items:
        phrase = re.sub(r"^(?:and|or)\s+", "", _tidy(item))
        if any(sign.isalpha() for sign in phrase) and not _TALK.search(phrase):
            found.setdefault(phrase.casefold(), phrase)
    phrases = list(found.values())[:NUM_SYNONYMS]
    if len(phrases) < NUM_SYNONYMS:
        raise ValueError(f"{len(phrases)} of {NUM_SYNONYMS} synonyms found")
    longest = max(phrases, key=lambda phrase: len(phrase.split()))
    if len(longest.split()) > _MOST_WORDS:
        raise ValueError(f"{longest!r} is a sentence, not a synonym")
    return phrases


def _synonyms_in(data: dict[str, Any] | list[Any]) -> list[str]:
    if isinstance(data, list):
        # Of an object, the first text: the others explain it.
        found = (_leaves(x)[:1] if isinstance(x, dict) else _leaves(x) for x in data)
        return list(chain.from_iterable(found))
    explained = all(isinstance(value, str) for value in data.values())
    numbered = any(re.search(r"\d", key) for key in data)
    return list(data) if explained and not numbered else _leaves(data)


def _split_synonyms(lines: Sequence[_Line]) -> list[str]:
    listed = [line for line in lines if line.listed]
    margin = min((line.indent for line in listed), default=0)
    # One synonym an item; what is indented explains it.
    items = [line.text for line in listed if line.indent == margin]
    if len(items) < NUM_SYNONYMS:
        # Several a line, perhaps behind a heading: "Formal: don, slip into"
        rest = listed if len(listed) > 1 else [x for x in lines if not x.heading]
        parts = [x.text.partition(": ") for x in rest if not x.text.endswith(":")]
        several = re.compile(f"{_NUMBER.pattern}|{_SEPARATOR.pattern}")
        text = "\n".join(
            end if several.search(end) else start for start, _, end in parts
        )
        items = [item for item in _NUMBER.split(text) if item.strip()]
        if len(items) < NUM_SYNONYMS:
            items = _SEPARATOR.split(text)
    return [_EXPLANATION.split(item)[0] for item in items]


def _read_parts(text: str, data: Any) -> dict[str, str]:
    if isinstance(data, dict):
        text = "\n".join(
            f"{key}: {', '.join(_leaves(value))}" for key, value in data.items()
        )
    lines = _read_lines(text.replace("(s)", "s"))
    attempts = (
        _labelled(lines),
        _unlabelled(lines, _SENTENCE_END),
        _unlabelled(lines, f"{_SENTENCE_END}|{_COMMA}"),
    )
    best = max(attempts, key=len)  # the first of equals
    missing = [part for part in PARTS if part not in best]
    if missing:
        raise ValueError(f"nothing found for {', '.join(missing)}")
    return {part: best[part] for part in PARTS}


def _labelled(lines: Sequence[_Line]) -> dict[str, str]:
    """Collects the texts that stand behind a part's label, or below it."""
    texts: dict[str, dict[str, list[str]]] = {}  # of a part: of a label: its texts
    part, label, start = "", "", lines[0] if lines else None
    for line in lines:
        # "Head: tilts; Hand: grasps" is split, and no other line.
        pieces = re.split(r"(?<=[.;])\s+", line.text)
        if not all(_split_label(piece, False)[0] for piece in pieces):
            pieces = [line.text]
        for piece in pieces:
            name, text = _split_label(piece, line.heading)
            if name:
                parts = _parts_in(name)
                # What is said of two parts at once is a description of neither.
                part, start = parts.pop() if len(parts) == 1 else "", line
                label = re.sub(r"\s*\(.*", "", name.lower()).strip(" '")
            elif start and texts.get(part) and not _belongs(line, start):
                part = ""
            if part and not _NOTHING.match(text.strip(" .,;\"'")):
                texts.setdefault(part, {}).setdefault(label, []).append(_tidy(text))
    return {
        part: ", ".join(
            _name_it(label, ", ".join(found), part) for label, found in labels.items()
        )
        for part, labels in texts.items()
    }


def _unlabelled(lines: Sequence[_Line], boundary: str) -> dict[str, str]:
    """Collects the sentences that start with a part's name, and those behind them."""
    texts: dict[str, list[str]] = {}
    for line in lines:
        part = ""
        for piece in map(str.strip, re.split(boundary, line.text)):
            match = _OPENING.match(piece)
            if _split_label(piece, line.heading)[0]:
                part = ""
            elif match:
                part = _PART_OF.get(match[1].lower(), part)
            if part and piece:
                texts.setdefault(part, []).append(_tidy(piece))
    return {part: ", ".join(found) for part, found in texts.items()}


def _split_label(text: str, heading: bool) -> tuple[str, str]:
    """Takes the label off a text; an empty one if it has none."""
    match = _LABEL.match(text)
    if match and _parts_in(match[1]):
        return match[1], match[2]
    return (text, "") if heading and _parts_in(text) else ("", text)


def _parts_in(name: str) -> set[str]:
    """Finds the parts that a label names; none if it is no label."""
    words = set(re.findall(r"[a-z]+", name.lower()))
    parts = words & _PART_OF.keys()
    is_label = all(_LABEL_WORD.fullmatch(word) for word in words - parts)
    return {_PART_OF[word] for word in parts} if is_label else set()


def _belongs(line: _Line, start: _Line) -> bool:
    """Whether a line without a label goes on with the text above it."""
    if line.listed:
        return line.indent > start.indent or not start.listed
    return line.block == start.block


def _name_it(name: str, text: str, part: str) -> str:
    """Has a phrase name its part: the label is not part of it."""
    words = re.findall(r"[a-z]+", text.lower())
    if any(_PART_OF.get(word) == part for word in words):
        return text
    return f"{name}: {text}" if _SUBJECT.match(text) else f"{name} {text}"
