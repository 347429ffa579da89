"""ConfigAction: how ``--cfg-options`` reads its words."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction

# Blanks that set off commas and brackets; all others are part of a value.
_SPACING = re.compile(r"^ +| +$| *([,\[\]()]) *")
_HIDDEN = "\0"


class ConfigAction(DictAction):
    """MMEngine's action; says what is wrong with a word, and keeps a value's blanks."""

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        """Read a value; MMEngine takes all blanks out of it."""
        text = _SPACING.sub(lambda found: found[1] or "", val.strip("'\""))
        return _shown(DictAction._parse_iterable(text.replace(" ", _HIDDEN)))

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Read ``KEY=VALUE`` words into a dict; end with a message if one is none."""
        words = [values] if isinstance(values, str) else list(values or ())
        for word in words:
            if not str(word).partition("=")[0] or "=" not in str(word):
                parser.error(
                    f"{option_string}: {word!r} is not KEY=VALUE; there are no blanks "
                    "around the '='; a value with blanks is quoted, 'KEY=a b'"
                )
        super().__call__(parser, namespace, words, option_string)


def _shown(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_shown(item) for item in value)
    return value.replace(_HIDDEN, " ") if isinstance(value, str) else value
