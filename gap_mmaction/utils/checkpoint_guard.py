"""Errors about checkpoint files that name the file."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any

from .brief import brief

_REFUSED = re.compile(r"(?:GLOBAL|global:?) ([\w.]+)")
_UNPICKLER = re.compile(r"WeightsUnpickler error: ([^\n]*)")
_LONGEST = 300


@contextmanager
def named_errors(path: str | PathLike[str]) -> Iterator[None]:
    """Turn whatever reading a file of weights raises into one kind of error.

    Args:
        path: The file.

    Yields:
        Nothing; the file is to be read within the context.

    Raises:
        pickle.UnpicklingError: If the file asks for more than tensors, numbers and
            containers, or is broken.
        OSError: As it came, if the file cannot be opened or fetched.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # there is no end of what torch.load raises
        found = _REFUSED.search(str(error))
        reason = (
            f"it asks for {brief(found[1])}, which weights do not need and which could "
            "run code"
            if found is not None and isinstance(error, pickle.UnpicklingError)
            else f"{type(error).__name__}: {first_sentence(error)}"
        )
        raise pickle.UnpicklingError(
            f"{fspath(path)}: refused or unreadable: {reason}. A file of weights holds "
            "tensors, numbers, strings and containers; docs/security.md says what to "
            "do with others"
        ) from error


def check_content(checkpoint: Any) -> Any:
    """Check that a checkpoint is a dict, and take out what would be run.

    Args:
        checkpoint: What was read, changed in place.

    Returns:
        The same.

    Raises:
        pickle.UnpicklingError: If it is no dict, or its state dict is none.
    """
    if not isinstance(checkpoint, dict):
        raise pickle.UnpicklingError(
            f"it holds a {type(checkpoint).__name__}, not a dict of weights"
        )
    state = checkpoint.get("state_dict", {})
    if not isinstance(state, Mapping):
        raise pickle.UnpicklingError(
            f"its state_dict is a {type(state).__name__}, not a dict of weights"
        )
    meta = checkpoint.get("meta")
    if isinstance(meta, dict):
        # MMEngine's Runner.resume would run it.
        meta.pop("config", None)
    return checkpoint


def first_sentence(error: Exception) -> str:
    """Take what was wrong out of what torch says, without its advice."""
    text = str(error)
    # What torch says before it is the advice to switch the check off.
    found = _UNPICKLER.search(text)
    if found is not None:
        text = found[1]
    elif "weights_only" in text:
        text = "not in the form in which torch.save writes weights"
    lines = text.strip().splitlines()
    return lines[0][:_LONGEST].rstrip(". ") if lines else "no reason given"
