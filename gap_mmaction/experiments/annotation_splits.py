"""The splits of annotation files: their samples, and how many each class has."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gap_mmaction.utils.restricted_pickle import load_annotations


def sample_name(annotation: Mapping[str, Any]) -> Any:
    """Returns the name that splits know a sample by."""
    return annotation.get("filename", annotation.get("frame_dir"))


@functools.cache
def class_sizes(path: Path, split: str | None) -> Counter[str]:
    """Counts the samples of each class, by label, of what :func:`read_split` reads."""
    return Counter(str(item.get("label")) for item in read_split(path, split))


def read_split(path: Path, split: str | None) -> list[dict[str, Any]]:
    """Reads the annotations of a split.

    Args:
        path: The annotation file.
        split: Name of the split; None for a file that is a list.

    Returns:
        Its annotations, in the order of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        pickle.UnpicklingError: If it is no annotation file.
        ValueError: If nothing is in the split, or a sample twice.
    """
    if not path.is_file():
        way_out = "name it with --ann-file, or make it with tools/data/prepare*.py"
        raise FileNotFoundError(f"annotation file {path} is not there: {way_out}")
    content = load_annotations(path)
    if split is None and isinstance(content, list):
        return list(content)
    splits = content.get("split", {}) if isinstance(content, dict) else {}
    members = set(splits.get(split, ()))
    items = content["annotations"] if splits else []
    chosen = [item for item in items if sample_name(item) in members]
    where = f"annotation file {path}"
    if not chosen:
        known = ", ".join(splits) or "no splits"
        raise ValueError(f"{where}: no samples of split '{split}', it has {known}")
    counts = Counter(str(sample_name(item)) for item in chosen)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        first = f"the first is '{twice[0]}'"
        raise ValueError(f"{where}: {len(twice)} samples are there twice, {first}")
    return chosen
