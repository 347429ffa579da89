"""The record of a run while it is under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .interruption import Interrupted
from .run_config import RunConfig
from .run_folder import RunFolder
from .run_record import RunRecord


@contextmanager
def running(
    folder: RunFolder, record: RunRecord, config: RunConfig, versions: dict[str, str]
) -> Iterator[None]:
    """Write in a run's folder that it has begun, and how it has ended.

    Args:
        folder: Its folder.
        record: What is known of it, changed in place.
        config: Its config, which is written too.
        versions: Those of the packages that it runs with.

    Yields:
        Nothing; the run is to be made within the context.
    """
    record.versions, record.error = versions, None
    # First, so that there is never a folder of which nothing is known.
    record.state = "running"
    record.write(folder.record_file)
    folder.write_config(config)
    try:
        yield
    except BaseException as error:
        stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
        record.state = "interrupted" if stopped else "failed"
        record.error = str(error)
        record.write(folder.record_file)
        raise
    record.state = "ended"
    record.write(folder.record_file)
