"""DurableBackend: local files that are there in full or not at all."""

from __future__ import annotations

from os import PathLike

from mmengine.fileio import LocalBackend, register_backend

from gap_mmaction.utils.atomic_file import atomic_file

DURABLE = "gap_durable"
"""The name: ``backend_args=dict(backend="gap_durable")``."""


class DurableBackend(LocalBackend):
    """MMEngine's ``LocalBackend``, which writes a file under its name from the start.

    Here it is written under another name, flushed to the disk, and renamed. Whatever
    happens meanwhile, the name stands for the old file or for the new one.
    """

    def put(self, obj: bytes, filepath: str | PathLike[str]) -> None:
        """Write bytes.

        Args:
            obj: The bytes.
            filepath: Where to; folders are made.
        """
        with atomic_file(filepath, durable=True) as stream:
            stream.write(obj)

    def put_text(
        self, obj: str, filepath: str | PathLike[str], encoding: str = "utf-8"
    ) -> None:
        """Write text.

        Args:
            obj: The text.
            filepath: Where to; folders are made.
            encoding: Its encoding.
        """
        self.put(obj.encode(encoding), filepath)


register_backend(DURABLE, DurableBackend, force=True)
