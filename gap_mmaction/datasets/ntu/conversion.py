"""Parallel conversion of all files in chunks, whose results outlive a killed run."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from gap_mmaction.datasets.ntu.raw_files import SkeletonFile
from gap_mmaction.datasets.ntu.sample import convert_skeleton
from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.restricted_pickle import load_annotations, write_annotations

_VERSION = "1"  # another one when the chain or the content of a chunk changes
_WHOLE = "whole.pkl"
_PARENT_CHECK_SECONDS = 1.0


@dataclass(frozen=True)
class Chunk:
    """Some of the files, converted in one go."""

    index: int
    files: tuple[SkeletonFile, ...]  # those to be skipped left out
    protocol: str
    folder: Path  # where the result is kept; made with the first one

    @property
    def path(self) -> Path:
        """The file of the result, with a digest of all that it depends on in the name.

        A chunk whose files, settings or code have changed is so made anew.
        """
        digest = hashlib.sha256(f"{_VERSION} {self.protocol}".encode())
        for file in self.files:
            digest.update(f"\n{file.name} {file.stamp}".encode())
        return self.folder / f"{self.index:05d}-{digest.hexdigest()[:16]}.pkl"

    def convert(self) -> list[str]:
        """Converts the files and keeps the result; returns errors of broken files."""
        samples = []
        errors = []
        for file in self.files:
            try:
                sample = convert_skeleton(
                    file.read(), file.name, self.protocol, where=str(file)
                )
            except (ValueError, OSError) as error:
                errors.append(str(error))
            else:
                samples.append(vars(sample))
        if not errors:
            write_annotations(samples, self.path)
        return errors

    def load(self) -> list[dict[str, Any]]:
        """Reads the result: ``name``, ``annotation`` and ``notes`` of each sample.

        Raises:
            ValueError: If it cannot be read.
        """
        try:
            samples: list[dict[str, Any]] = load_annotations(self.path)
        except pickle.UnpicklingError as error:
            raise ValueError(
                f"{error} Remove the folder '{self.folder}' and run this again."
            ) from error
        return samples


def make_chunks(
    files: Sequence[SkeletonFile],
    skipped: set[str],
    protocol: str,
    size: int,
    folder: Path,
) -> list[Chunk]:
    """Cuts a list of files into chunks of ``size`` files, then leaves some samples out.

    The cuts do not depend on the latter: one more name to skip changes one chunk only.
    """
    chunks = []
    for index, start in enumerate(range(0, len(files), size)):
        kept = [f for f in files[start : start + size] if f.name not in skipped]
        chunks.append(Chunk(index, tuple(kept), protocol, folder))
    return chunks


def convert_chunks(
    chunks: Sequence[Chunk], num_workers: int
) -> Iterator[tuple[Chunk, list[str]]]:
    """Converts chunks in several processes, or, with one worker, in this one.

    Yields:
        Each chunk, as it is done, and the errors of its broken files.

    Raises:
        RuntimeError: If a process was killed.
    """
    if num_workers == 1 or len(chunks) <= 1:
        for chunk in chunks:
            yield chunk, chunk.convert()
        return
    # Forked, as importing torch and mmaction2 takes seconds in each process.
    method = "fork" if sys.platform == "linux" else None
    with ProcessPoolExecutor(
        min(num_workers, len(chunks)),
        multiprocessing.get_context(method),
        initializer=_end_with_parent,
        initargs=(os.getpid(),),
    ) as pool:
        waiting = {pool.submit(chunk.convert): chunk for chunk in chunks}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a worker process was killed, perhaps for memory; run the same command "
                "again to go on from here, with fewer --workers if it was that"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent(parent: int) -> None:
    """Watches the main process: after a kill -9 of it, workers would wait for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class StreamedList:
    """Items that are a list in a pickle, each made when its turn comes."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items

    def __reduce__(self) -> tuple[type[list], tuple[()], None, Iterator[Any]]:
        return list, (), None, iter(self._items)


def write_streamed(content: Any, path: str | PathLike[str]) -> None:
    """Pickles to a file that is there in full or not at all.

    Args:
        content: What to write, with :class:`StreamedList` in it; no object that
            contains itself.
        path: Where.
    """
    with atomic_file(path) as stream:
        pickler = pickle.Pickler(stream, protocol=5)
        # Without a memo, which would keep in memory whatever is written. Objects that
        # are there twice are written twice: a few bytes, as only keys and dtypes are.
        pickler.fast = True
        pickler.dump(content)


def publish(content: Any, path: str | PathLike[str], folder: Path) -> None:
    """Writes the annotation file by way of the folder of chunks.

    There, and not beside the file, is what a run killed meanwhile leaves behind.
    """
    write_streamed(content, folder / _WHOLE)
    os.replace(folder / _WHOLE, path)


def remove_chunks(folder: Path) -> None:
    """Removes the folder of chunks, with what killed runs left in it."""
    for pattern in ("[0-9]*-*.pkl", "*.part", _WHOLE):
        for path in folder.glob(pattern):
            path.unlink()
    if not any(folder.iterdir()):  # else there is something of the user's
        folder.rmdir()
