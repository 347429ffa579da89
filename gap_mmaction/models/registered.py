"""The class that a config's ``type`` names."""

from __future__ import annotations

from typing import Any

from mmaction.registry import MODELS


def registered(kind: str | type) -> Any:
    """Returns the class of a ``type``; None if there is none of that name."""
    return MODELS.get(kind) if isinstance(kind, str) else kind
