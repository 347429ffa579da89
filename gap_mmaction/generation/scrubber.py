"""Keep secrets out of what is printed and written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

_MASK = "[hidden]"
_SHORTEST_IN_TEXT = 12  # shorter ones can be words, such as "EMPTY" for a local server


class Scrubber:
    """Replaces secrets in texts.

    Args:
        secrets: What must not be shown; empty ones are passed over.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in (secret, quote(secret, ""))}
        # The longest first: one may contain another.
        ordered = sorted(filter(None, forms), key=len, reverse=True)
        self._all = _any_of(ordered)
        self._long = _any_of([s for s in ordered if len(s) >= _SHORTEST_IN_TEXT])

    def message(self, text: str) -> str:
        """Clean a message."""
        return self._all.sub(_MASK, text)

    def answer(self, text: str) -> str:
        """Clean an answer, where a short secret may be an ordinary word."""
        return self._long.sub(_MASK, text)


def _any_of(secrets: list[str]) -> re.Pattern[str]:
    # In one pass, so that nothing is looked for in the mask; (?!) matches nothing.
    return re.compile("|".join(map(re.escape, secrets)) or "(?!)")
