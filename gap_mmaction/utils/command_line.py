"""What the tools share: errors told in a line, and exit codes."""

from __future__ import annotations

import functools
import pickle
import sys
from collections.abc import Callable
from typing import TypeVar

MainFunction = TypeVar("MainFunction", bound=Callable[..., int])

# What a user can cause; anything else is a fault of ours and keeps its traceback.
USER_ERRORS = (
    *(KeyError, ValueError, TypeError, OSError, RuntimeError, ImportError),
    pickle.UnpicklingError,
)


def tells_errors(main: MainFunction) -> MainFunction:
    """Decorates a tool's ``main``: a user's error is a line on stderr and exit code 1.

    Args:
        main: Returns an exit code.

    Returns:
        The function, which prints ``error: ...`` in place of raising one of
        :data:`USER_ERRORS`.
    """

    @functools.wraps(main)
    def told(*args: object, **kwargs: object) -> int:
        try:
            return main(*args, **kwargs)
        except USER_ERRORS as error:
            # The text of a KeyError would be in quotes.
            text = error.args[0] if isinstance(error, KeyError) else error
            print(f"error: {text}", file=sys.stderr)
            return 1

    return told  # type: ignore[return-value]
