"""Six part sentences out of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gap_mmaction.models.text.descriptions import PARTS

from .answer_text import Line, find_json, read_lines, tidy

_PART_OF = {**{p: p for p in PARTS}, **{f"{p}s": p for p in PARTS}, "feet": "foot"}
_LABELLED = re.compile(
    r"^[\"']?(?P<name>[A-Za-z][A-Za-z ()/&,'-]{0,40}?)[\"']?\s*"
    r"(?::|\||\s[-\u2013\u2014=]\s|\u2014)\s*(?P<text>.*)$"
)
# What a label may hold beside a part's name.
_LABEL_WORDS = frozenset(
    (
        *("the", "his", "her", "their", "left", "right", "both", "upper", "lower"),
        *("and", "or", "of", "part", "movement", "movements", "position", "action"),
        *("neck", "face", "eyes", "gaze", "shoulder", "shoulders", "elbow", "elbows"),
        *("wrist", "wrists", "palm", "palms", "finger", "fingers", "thumb", "thumbs"),
        *("torso", "trunk", "waist", "pelvis", "thigh", "thighs", "knee", "knees"),
        *("ankle", "ankles", "toe", "toes", "heel", "heels"),
    )
)
_OPENING = re.compile(
    r"^(?:(?:the|his|her|their|your|a|an|one|both|left|right|and|or|man's|person's|"
    r"woman's|while|meanwhile,?)\s+)*(?P<name>[a-z]+)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|;\s*")
_NOTHING = re.compile(r"^(?:n/?a|none|nothing|-+|null)?$", re.IGNORECASE)
# Words that begin a sentence of its own, before which a part's name would be wrong.
_SUBJECTS = frozenset(
    (
        *("the", "a", "an", "he", "she", "they", "it", "his", "her", "their", "one"),
        *("both", "there", "this", "these", "as", "while", "when", "person", "man"),
        *("woman", "fingers", "toes", "knees", "elbows", "shoulders", "wrists", "eyes"),
    )
)


def parse_parts(answer: str) -> dict[str, str]:
    """Read what each part does.

    The parts may have labels (``Head: tilts``), in a list, a table, as headings or as
    JSON, or their sentences may start with their names, between semicolons, full stops
    or commas, as in the paper's example.

    Args:
        answer: The answer as it came.

    Returns:
        A phrase for each of the six parts, which names the part.

    Raises:
        ValueError: If parts are missing.
    """
    data = find_json(answer)
    if isinstance(data, dict):
        while len(data) == 1 and isinstance(next(iter(data.values())), dict):
            (data,) = data.values()
        answer = "\n".join(f"{key}: {_flat(value)}" for key, value in data.items())
    lines = read_lines(answer)
    attempts = (
        _labelled(lines),
        _unlabelled(lines, _SENTENCE_END),
        _unlabelled(lines, re.compile(_SENTENCE_END.pattern + r"|,\s*" + _AHEAD)),
    )
    best = max(attempts, key=len)  # the first of equals
    missing = [part for part in PARTS if part not in best]
    if missing:
        raise ValueError(f"nothing found for {', '.join(missing)}")
    return {part: best[part] for part in PARTS}


def _flat(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


# A comma is a boundary only where a part follows.
_AHEAD = rf"(?=(?:and\s+)?(?:the\s+|his\s+|her\s+)?(?:{'|'.join(_PART_OF)})\b)"


def _labelled(lines: list[Line]) -> dict[str, str]:
    """Collect the texts that stand behind a part's label, or below it."""
    texts: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    part, start = "", lines[0] if lines else None
    for line in lines:
        for piece in _inline(line.text):
            name, text = _label_of(piece, line.heading)
            if name:
                parts = _parts_in(name)
                # What is said of two parts at once is a description of neither.
                part, start = parts.pop() if len(parts) == 1 else "", line
            if name and part:
                names.setdefault(part, _short(name))
                texts.setdefault(part, [])
            elif part and start and not _belongs(line, start, texts[part]):
                part = ""
            if part and not _NOTHING.match(text.strip(" .,;\"'")):
                texts[part].append(tidy(text))
    return {
        part: _name_it(names[part], ", ".join(found), part)
        for part, found in texts.items()
        if found
    }


def _inline(text: str) -> Iterator[str]:
    """Split a line such as ``Head: tilts; Hand: grasps``, and no other."""
    pieces = [piece for piece in re.split(r"(?<=[.;])\s+", text) if piece]
    if len(pieces) > 1 and all(_label_of(piece, False)[0] for piece in pieces):
        yield from pieces
    else:
        yield text


def _label_of(text: str, heading: bool) -> tuple[str, str]:
    """Take the label off a text; an empty one if it has none."""
    match = _LABELLED.match(text)
    if match and _parts_in(match["name"]):
        return match["name"], match["text"]
    if heading and _parts_in(text):
        return text, ""
    return "", text


def _parts_in(name: str) -> set[str]:
    """Find the parts that a label names; none if it is no label."""
    words = re.findall(r"[a-z]+", re.sub(r"\(s\)", "s", name.lower()))
    if not _LABEL_WORDS.issuperset(word for word in words if word not in _PART_OF):
        return set()
    return {_PART_OF[word] for word in words if word in _PART_OF}


def _short(name: str) -> str:
    """Make a subject of a label: ``Hand(s)`` and ``Hands (fingers)`` are hands."""
    return re.sub(r"\s*\(.*", "", re.sub(r"\(s\)", "s", name.lower())).strip(" '\"")


def _belongs(line: Line, start: Line, found: list[str]) -> bool:
    """Whether a line without a label goes on with the part above it."""
    if not found:
        return True
    below = line.listed and (line.indent > start.indent or not start.listed)
    return below or (not line.listed and line.paragraph == start.paragraph)


def _name_it(name: str, text: str, part: str) -> str:
    """Have a phrase name its part: the label is not part of it."""
    words = re.findall(r"[a-z]+", text.lower())
    if any(_PART_OF.get(word) == part for word in words):
        return text
    return f"{name}: {text}" if words and words[0] in _SUBJECTS else f"{name} {text}"


def _unlabelled(lines: list[Line], boundary: re.Pattern[str]) -> dict[str, str]:
    """Collect the sentences that start with a part's name, and those behind them."""
    texts: dict[str, list[str]] = {}
    for line in lines:
        part = ""
        for piece in boundary.split(line.text):
            match = _OPENING.match(piece.strip())
            if _label_of(piece.strip(), line.heading)[0]:
                part = ""
            elif match:
                part = _PART_OF.get(match["name"].lower(), part)
            if part and piece.strip():
                texts.setdefault(part, []).append(tidy(piece))
    return {part: ", ".join(found) for part, found in texts.items()}
