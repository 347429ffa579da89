"""Values in messages: short, whatever a file has put there."""

from __future__ import annotations

import reprlib
from typing import Any

_REPR = reprlib.Repr()
_REPR.maxlevel = 2
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60
_NAMES = ("frame_dir", "filename", "video_id", "img_key")


def brief(value: Any) -> str:
    """Writes a value as ``repr`` does, in one short line, whatever its depth."""
    try:
        text = _REPR.repr(value)
    except (ValueError, RecursionError):
        text = f"<{type(value).__name__}>"
    return " ".join(text.split())


def name_of_sample(sample: Any) -> str:
    """Names a data sample by what the pipeline has kept of its sequence."""
    for key in _NAMES:
        name = sample.get(key) if hasattr(sample, "get") else None
        if name is not None:
            return str(name)
    return "(unknown: set meta_keys=('frame_dir',) in the pipeline's PackActionInputs)"
