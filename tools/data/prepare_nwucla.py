#!/usr/bin/env python
"""Turn the NW-UCLA skeletons into one annotation file: prepare.py for ``nwucla``.

Example: ``python tools/data/prepare_nwucla.py all_sqe.zip data/nwucla.pkl``
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``prepare.py``.

    Args:
        argv: Its arguments after the name of the data set, those of the process by
            default.

    Returns:
        Its exit status.
    """
    tool = runpy.run_path(str(Path(__file__).with_name("prepare.py")))
    status: int = tool["main"](["nwucla", *(sys.argv[1:] if argv is None else argv)])
    return status


if __name__ == "__main__":
    sys.exit(main())
