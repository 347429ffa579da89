"""Names from files in pictures."""

from __future__ import annotations

import textwrap

_LONG = 300


def plain_text(text: str, width: int | None = None) -> str:
    """Make a name safe to be drawn by matplotlib.

    Args:
        text: Any text. Matplotlib would read what stands between dollars as a formula,
            and fail on a wrong one.
        width: Where to break lines, in characters, if at all.

    Returns:
        The text, with dollars escaped and without control characters.
    """
    clean = "".join(c if c.isprintable() else " " for c in text[:_LONG])
    if width is not None:
        clean = "\n".join(textwrap.wrap(clean, width)) or clean
    return clean.replace("$", r"\$")
