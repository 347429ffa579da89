"""Pickle a list without having it in memory."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

from gap_mmaction.utils.atomic_file import atomic_file


class StreamedList:
    """Items that are a list in a pickle, each made when its turn comes.

    Args:
        items: The items, gone through once.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items

    def __reduce__(self) -> tuple[type[list], tuple[()], None, Iterator[Any]]:
        return list, (), None, iter(self._items)


def write_streamed(content: Any, path: str | PathLike[str]) -> None:
    """Pickle to a file that is there in full or not at all.

    Args:
        content: What to write, with :class:`StreamedList` in it; no object that
            contains itself.
        path: Where; folders are made, a file already there is replaced.
    """
    with atomic_file(path) as stream:
        pickler = pickle.Pickler(stream, protocol=5)
        # Without a memo, which would keep in memory whatever is written. Objects that
        # are there twice are written twice: a few bytes, as only keys and dtypes are.
        pickler.fast = True
        pickler.dump(content)
