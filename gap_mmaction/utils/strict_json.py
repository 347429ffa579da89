"""JSON with one kind of exception."""

from __future__ import annotations

import json
from typing import Any


def parse_json(data: bytes | str) -> Any:
    """Reads JSON.

    Raises:
        ValueError: If it is no JSON; also where ``json.loads`` itself raises a
            ``RecursionError``, for brackets in brackets in brackets.
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
