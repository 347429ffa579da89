"""Tools run as scripts: what patches ``mmaction.models`` is imported before it."""

from __future__ import annotations

import re
from pathlib import Path

TOOLS = Path(__file__).parents[2] / "tools"


def test_patches_come_first() -> None:
    for file in TOOLS.rglob("*.py"):
        text = file.read_text()
        models = re.search(r"^(?:from|import) mmaction\.models", text, re.M)
        ours = re.search(r"^(?:from|import) gap_mmaction", text, re.M)
        assert models is None or (ours is not None and ours.start() < models.start())
