"""The annotations of a split."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from gap_mmaction.utils.restricted_pickle import load_annotations

from .annotations import name_of


def read_split(source: Path, split: str) -> list[dict[str, Any]]:
    """Read the annotations of a split, each of which must be there once.

    Args:
        source: The annotation file.
        split: Name of the split.

    Returns:
        Its annotations, in the order of the file.

    Raises:
        FileNotFoundError: If the source is not there.
        pickle.UnpicklingError: If it is no annotation file.
        ValueError: If it has no such split, or a sample twice.
    """
    content = load_annotations(source)
    splits = content.get("split", {}) if isinstance(content, dict) else {}
    if split not in splits:
        raise ValueError(
            f"annotation file {source}: no split '{split}', it has "
            f"{', '.join(splits) or 'none'}"
        )
    members = set(splits[split])
    chosen = [item for item in content["annotations"] if name_of(item) in members]
    counts = Counter(str(name_of(item)) for item in chosen)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError(
            f"annotation file {source}: {len(twice)} samples are there twice, the "
            f"first is '{twice[0]}'; make the file anew"
        )
    return chosen
