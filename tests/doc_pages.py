"""The pages of the documentation, taken apart for the tests."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "configs").rglob("*.md")),
]
SHELLS = ("bash", "")
# What ends a command, or a test of one.
OPERATORS = {"|", "||", "&&", ";", "&", ">", "<", "do", "done", "then", "fi"}

_TOOL = re.compile(r"(?:\./)?tools/[\w/]+\.(?:py|sh)")


@functools.cache
def tokens(page: Path) -> list[Token]:
    parser = MarkdownIt("commonmark").enable("table")
    return parser.parse(page.read_text("utf-8"))


def inline_code(page: Path) -> list[str]:
    return [
        child.content
        for token in tokens(page)
        for child in token.children or ()
        if child.type == "code_inline"
    ]


def fences(page: Path, *languages: str) -> list[str]:
    return [
        token.content
        for token in tokens(page)
        if token.type == "fence" and token.info.strip() in languages
    ]


def commands(page: Path) -> list[list[str]]:
    """Lists the calls of tools in the blocks of a page, as words, the tool first.

    Values of variables are left out, what a substitution gives is a word.
    """
    found = []
    for code in fences(page, *SHELLS):
        text = _without_substitutions(code.replace("\\\n", " "))
        text = re.sub(r"\$\{?\w+\}?", "", text)
        for line in text.splitlines():
            if _TOOL.search(line):
                found += list(_calls(line))
    return found


def _without_substitutions(text: str) -> str:
    """Put a word in the place of each ``$(command)``."""
    start = text.find("$(")
    if start < 0:
        return text
    depth, end = 0, start + 1
    for end in range(start + 1, len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if not depth:
            break
    return _without_substitutions(f"{text[:start]}given{text[end + 1 :]}")


def _calls(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    call: list[str] = []
    for word in lexer:
        if word in OPERATORS:
            if call:
                yield call
            call = []
        elif call:
            call.append(word)
        elif _TOOL.fullmatch(word):
            call = [word.removeprefix("./")]
    if call:
        yield call
