"""ConfigAction: how ``--cfg-options`` reads its words."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction


class ConfigAction(DictAction):
    """MMEngine's action, which says what is wrong with a word without ``=``."""

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
                    "around the '=', nor in a value that is not quoted"
                )
        super().__call__(parser, namespace, words, option_string)
