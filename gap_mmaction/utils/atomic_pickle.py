"""Write annotation files."""

from __future__ import annotations

import pickle
from os import PathLike
from typing import Any

from .atomic_file import atomic_file


def write_annotations(content: Any, path: str | PathLike[str]) -> None:
    """Pickle to a file that is there in full or not at all.

    Args:
        content: What to write.
        path: Where; folders are made, a file already there is replaced.
    """
    with atomic_file(path) as stream:
        pickle.dump(content, stream, protocol=5)
