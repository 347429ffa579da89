"""The weights that ship."""

from __future__ import annotations

import re
from pathlib import Path

from tests.config_files import ROOT

WEIGHTS = sorted((ROOT / "data" / "weights").glob("*.safetensors"))


def accuracy_of_card(weights: Path) -> float:
    """Read the top-1 accuracy in percent from the card beside a file of weights."""
    card = weights.with_suffix(".md").read_text("utf-8")
    found = re.search(r"^\| accuracy \| top-1 ([\d.]+) %", card, re.M)
    assert found, f"{weights}: its card says no top-1 accuracy"
    return float(found[1])
