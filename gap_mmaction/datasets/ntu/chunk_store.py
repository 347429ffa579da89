"""Results of parts of the files, kept until all are there."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import Any

from gap_mmaction.datasets.ntu.streamed_list import write_streamed
from gap_mmaction.utils.restricted_pickle import load_annotations, write_annotations

_WHOLE = "whole.pkl"


class ChunkStore:
    """A folder with one file for each finished part, there in full or not at all.

    The key of what went into a part is in the file's name: a part whose files, settings
    or code have changed is not found and made anew.

    Args:
        folder: Where; made when the first part is written.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)

    def path_of(self, index: int, key: str) -> Path:
        """Name the file of a part.

        Args:
            index: Which part.
            key: What it was made from, a short hexadecimal digest.

        Returns:
            The path.
        """
        return self.folder / f"{index:05d}-{key}.pkl"

    def has(self, index: int, key: str) -> bool:
        """Tell whether a part is finished.

        Args:
            index: Which part.
            key: What it is made from.

        Returns:
            Whether its file is there.
        """
        return self.path_of(index, key).is_file()

    def save(self, index: int, key: str, content: Any) -> None:
        """Write a part.

        Args:
            index: Which part.
            key: What it was made from.
            content: Containers, numbers, strings and arrays.
        """
        write_annotations(content, self.path_of(index, key))

    def load(self, index: int, key: str) -> Any:
        """Read a part.

        Args:
            index: Which part.
            key: What it was made from.

        Returns:
            Its content.

        Raises:
            pickle.UnpicklingError: If the file is broken.
        """
        return load_annotations(self.path_of(index, key))

    def publish(self, content: Any, path: str | PathLike[str]) -> None:
        """Write the whole, which takes its place once it is complete.

        What a run killed meanwhile leaves behind is in the folder and goes with it.

        Args:
            content: Containers, numbers, strings, arrays and ``StreamedList``.
            path: Where to, on the same file system as the folder.
        """
        whole = self.folder / _WHOLE
        write_streamed(content, whole)
        os.replace(whole, path)

    def remove(self) -> None:
        """Remove the folder, with what killed runs left in it."""
        if not self.folder.is_dir():
            return
        for pattern in ("[0-9]*-*.pkl", "*.part", _WHOLE):
            for path in self.folder.glob(pattern):
                path.unlink()
        if not any(self.folder.iterdir()):  # else there is something of the user's
            self.folder.rmdir()
