"""One paragraph out of an answer."""

from __future__ import annotations

from .answer_text import find_json, read_lines

_FEWEST = 5  # words


def parse_paragraph(answer: str) -> str:
    """Read the paragraph.

    Headings and an introduction are left out; several paragraphs, or the steps of a
    list, are joined.

    Args:
        answer: The answer as it came.

    Returns:
        The text in one line.

    Raises:
        ValueError: If it has fewer than five words.
    """
    data = find_json(answer)
    if isinstance(data, dict) and len(data) == 1:
        (data,) = data.values()
    if isinstance(data, str):
        answer = data
    lines = [line.text for line in read_lines(answer) if not line.heading]
    if len(lines) > 1 and lines[0].endswith(":"):
        del lines[0]
    text = " ".join(" ".join(lines).split())
    if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
        text = text[1:-1].strip()
    if len(text.split()) < _FEWEST:
        raise ValueError(f"{text!r} is no description")
    return text
