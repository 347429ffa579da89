#!/usr/bin/env python
"""Runs prepare.py for ``nwucla``: ``prepare_nwucla.py all_sqe.zip data/nwucla.pkl``."""

from __future__ import annotations

import functools
import runpy
import sys
from pathlib import Path

_PREPARE = runpy.run_path(str(Path(__file__).with_name("prepare.py")))
parse_args = functools.partial(_PREPARE["parse_args"], data="nwucla")
main = functools.partial(_PREPARE["main"], data="nwucla")

if __name__ == "__main__":
    sys.exit(main())
