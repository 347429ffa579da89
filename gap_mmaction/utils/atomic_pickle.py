"""Write annotation files."""

from __future__ import annotations

import os
import pickle
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any


def write_annotations(content: Any, path: str | PathLike[str]) -> None:
    """Pickle to a file that is there in full or not at all.

    Args:
        content: What to write.
        path: Where; folders are made, a file already there is replaced.
    """
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=out.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            pickle.dump(content, stream, protocol=4)
        # mkstemp makes the file private; give it the rights any new file would have.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, out)
    except BaseException:
        os.unlink(temporary)
        raise
