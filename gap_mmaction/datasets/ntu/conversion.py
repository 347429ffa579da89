"""The ``.skeleton`` files of NTU RGB+D, converted in parallel and resumably."""

from __future__ import annotations

import csv
import hashlib
import io
import multiprocessing
import os
import pickle
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from gap_mmaction.datasets.ntu.sample import convert_skeleton
from gap_mmaction.datasets.ntu.splits import SampleName
from gap_mmaction.datasets.source import Source, name_file, read_file
from gap_mmaction.utils.files import atomic_file, write_file
from gap_mmaction.utils.restricted_pickle import load_annotations, write_annotations

Note = tuple[str, str, str]
"""Name of a sample, kind (``dropped``, ``suspicious``, ``changed``) and reason."""
MOST_SHOWN = 20
_VERSION = "1"  # another one when the chain or the content of a chunk changes
_WHOLE = "whole.pkl"
_PARENT_CHECK_SECONDS = 1.0


@dataclass(frozen=True)
class SkeletonFile:
    """One file: the sample's name, where it is, and what changes with its content."""

    name: str
    source: Path
    member: str
    stamp: str

    def __str__(self) -> str:
        return name_file(self.source, self.member)


def list_files(sources: Sequence[Path]) -> list[SkeletonFile]:
    """Lists the ``.skeleton`` files of folders and zip archives, sorted by name."""
    files: list[SkeletonFile] = []
    unknown: list[str] = []
    seen: set[str] = set()
    for path in sources:
        if os.path.realpath(path) in seen:
            raise ValueError(f"{path}: named twice by --raw; name each source once")
        seen.add(os.path.realpath(path))
        source = Source(path, ["*.skeleton"])
        if source.is_tar:
            raise ValueError(f"{path}: a tar archive; give the folder it unpacks to")
        for member, stamp in source.stamps.items():
            name = PurePosixPath(member).stem
            files.append(SkeletonFile(name, path, member, stamp))
            try:
                SampleName.parse(name, str(files[-1]))
            except ValueError as error:
                unknown.append(str(error))
    refuse(unknown, "unknown file names; remove these files or put their names right")
    files.sort(key=lambda file: file.name)
    pairs = zip(files, files[1:])
    twice = [f"{one} and {other}" for one, other in pairs if one.name == other.name]
    refuse(twice, "samples are there twice; remove one of each")
    return files


def refuse(faults: Sequence[str], what: str) -> None:
    """Raises one error for all faults of a kind, if there are any."""
    if faults:
        shown = [f"  {fault}" for fault in faults[:MOST_SHOWN]]
        if len(faults) > MOST_SHOWN:
            shown.append(f"  and {len(faults) - MOST_SHOWN} more")
        raise ValueError("\n".join([f"{len(faults)} {what}:", *shown]))


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
        samples, errors = [], []
        for file in self.files:
            try:
                data = read_file(file.source, file.member)
                sample = convert_skeleton(data, file.name, self.protocol, str(file))
                samples.append(vars(sample))
            except (ValueError, OSError) as error:
                errors.append(str(error))
        if not errors:
            write_annotations(samples, self.path)
        return errors

    def load(self) -> list[dict[str, Any]]:
        """Reads the result: ``name``, ``annotation`` and ``notes`` of each sample."""
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

    Yields each chunk, as it is done, and the errors of its broken files.
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


def publish(content: Any, path: Path, folder: Path) -> None:
    """Writes the annotation file, ``content`` with a :class:`StreamedList` in it.

    It is written in the folder of chunks and moved: there, and not beside the file, is
    what a run killed meanwhile leaves behind.
    """
    with atomic_file(folder / _WHOLE) as stream:
        pickler = pickle.Pickler(stream, protocol=5)
        # Without a memo, which would keep in memory whatever is written. Objects that
        # are there twice are written twice: a few bytes, as only keys and dtypes are.
        pickler.fast = True
        pickler.dump(content)
    os.replace(folder / _WHOLE, path)


def remove_chunks(folder: Path) -> None:
    """Removes the folder of chunks, with what killed runs left in it."""
    for pattern in ("[0-9]*-*.pkl", "*.part", _WHOLE):
        for path in folder.glob(pattern):
            path.unlink()
    if not any(folder.iterdir()):  # else there is something of the user's
        folder.rmdir()


def summarise(notes: Iterable[Note]) -> str:
    """Counts the reasons of each kind, the most frequent first, in a few lines."""
    lines = []
    for kind in ("dropped", "suspicious", "changed"):
        found = [(name, reason) for name, noted, reason in notes if noted == kind]
        lines.append(f"{kind}: {len({name for name, _ in found}):,} samples")
        reasons = Counter(reason for _, reason in found)
        lines += [f"  {n:>7,}  {reason}" for reason, n in reasons.most_common()]
    return "\n".join(lines)


def write_report(notes: Iterable[Note], path: Path) -> None:
    """Writes all notes as CSV, sorted by sample."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("sample", "kind", "reason"))
    writer.writerows(sorted(notes))
    write_file(path, text.getvalue())
