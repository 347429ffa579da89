"""Convert chunks in several processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from gap_mmaction.datasets.ntu.chunk import Chunk
from gap_mmaction.datasets.ntu.chunk_store import ChunkStore

_PARENT_CHECK_SECONDS = 1.0


def convert_chunks(
    chunks: Sequence[Chunk], store: ChunkStore, num_workers: int
) -> Iterator[tuple[Chunk, list[str]]]:
    """Convert chunks as processes come free.

    Args:
        chunks: What to convert.
        store: Where the results go.
        num_workers: Number of processes; with 1, it is done in this one.

    Yields:
        Each chunk, as it is done, and the errors of its broken files.

    Raises:
        RuntimeError: If a process was killed.
    """
    if num_workers == 1 or len(chunks) == 1:
        for chunk in chunks:
            yield chunk, chunk.convert(store)
        return
    # Forked, as importing torch and mmaction2 takes seconds in each process.
    method = "fork" if sys.platform == "linux" else None
    with ProcessPoolExecutor(
        min(num_workers, len(chunks)),
        multiprocessing.get_context(method),
        initializer=_end_with_parent,
        initargs=(os.getpid(),),
    ) as pool:
        waiting = {pool.submit(_convert, chunk, store): chunk for chunk in chunks}
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


def _convert(chunk: Chunk, store: ChunkStore) -> list[str]:
    return chunk.convert(store)


def _end_with_parent(parent: int) -> None:
    """Watch the main process: after a kill -9 of it, workers would wait for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
