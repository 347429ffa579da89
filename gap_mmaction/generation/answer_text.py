"""An answer without what chat models put around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gap_mmaction.utils.strict_json import parse_json

_QUOTES = str.maketrans({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'})
_THOUGHT = re.compile(r"^.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(
    r"^[ \t]*(```|~~~)[^\n]*\n(.*?)^[ \t]*\1", re.DOTALL | re.MULTILINE
)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~).*$", re.MULTILINE)
_STRONG = re.compile(r"\*\*|__|`")
# A star or an underscore that opens before a letter and closes after one; not far
# from it, or many stars would take long.
_EMPHASIS = re.compile(r"(?<![\w*])([*_])(?=\S)(.{1,200}?)(?<=\S)\1(?![\w*])")
_HEADING = re.compile(r"^#{1,6}\s+|^(\*\*|__)(?:(?!\1).)+(?<![.!?;])\1$")
_MARKER = re.compile(
    r"^(?:[-*+\u2022\u2023\u25E6\u2013\u2014]\s+|\(?\d{1,2}[.):]\)?\s+)"
)
_CHATTER = re.compile(
    r"^(?:sure|certainly|of course|absolutely|okay|ok|here (?:is|are)|here's)\b"
    r".*[:!]$|^(?:let me know|would you like|i hope|feel free|do you want|"
    r"if you(?:'d| would)? (?:like|want|need))\b",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"^(?:a|answer)\s*:\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """A line of an answer, without its markup.

    Attributes:
        text: What it says.
        listed: Whether it is an item of a list.
        heading: Whether it is a heading.
        indent: Its distance from the left margin.
        paragraph: The number of the block of lines, between empty ones, it is in.
    """

    text: str
    listed: bool
    heading: bool
    indent: int
    paragraph: int


def clean(text: str) -> str:
    """Remove a model's thoughts and signs that are no text; make quotes plain."""
    text = _THOUGHT.sub("", text).translate(_QUOTES)
    return "".join(sign for sign in text if sign.isprintable() or sign.isspace())


def find_json(answer: str) -> Any:
    """Read an answer, or the one fenced block in it, as JSON.

    Returns:
        A dict or a list; ``None`` if there is none.
    """
    blocks = [block for _, block in _FENCED.findall(clean(answer))]
    text = (blocks[0] if len(blocks) == 1 else clean(answer)).strip()
    if not text.startswith(("{", "[")):
        return None
    try:
        return parse_json(text)
    except ValueError:
        return None


def read_lines(answer: str) -> list[Line]:
    """Split an answer into lines, and drop fences, rulers and chatter.

    Args:
        answer: The answer as it came.

    Returns:
        The lines that hold letters, or numbers.
    """
    lines = []
    paragraph = 0
    for raw in _FENCE.sub("", clean(answer)).splitlines():
        text = raw.strip()
        while text.startswith(">"):
            text = text[1:].lstrip()
        if not any(sign.isalnum() for sign in text):
            paragraph += 1
            continue
        marker = _MARKER.match(text)
        body = text[marker.end() :] if marker else text
        heading = bool(_HEADING.match(body))
        body = _plain(body)
        if not marker:
            # The marker itself may be in bold.
            marker = _MARKER.match(body)
            body = body[marker.end() :] if marker else body
        if not _CHATTER.match(body):
            indent = len(raw) - len(raw.lstrip())
            body = _ANSWER.sub("", body)
            lines.append(Line(body, bool(marker), heading, indent, paragraph))
    return [line for line in lines if line.text]


def tidy(text: str) -> str:
    """Make a phrase: one line, no quotes around it, no mark at its end.

    Its first letter becomes small, unless more capitals follow it (``OK sign``).
    """
    text = " ".join(text.split()).strip(" \t.,;:!|")
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip(" .,;:!")
    if len(text) > 1 and text[0].isupper() and not text[1].isupper():
        text = text[0].lower() + text[1:]
    return text


def _plain(text: str) -> str:
    text = re.sub(r"^#{1,6}\s+", "", text)
    text = _EMPHASIS.sub(r"\2", _STRONG.sub("", text))
    return text.strip().strip("|").strip()
