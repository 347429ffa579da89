"""How many samples the splits of an annotation file have."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.restricted_pickle import load_annotations
from gap_mmaction.utils.strict_json import parse_json


class SplitSizes:
    """Sizes of splits, each file read once.

    Args:
        cache: A file to keep them in, as large annotation files take a while to read.
            None keeps them in memory.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self.cache = cache
        self._known: dict[str, dict[str, Any]] = {}
        if cache is not None and cache.is_file():
            try:
                self._known = dict(parse_json(cache.read_text("utf-8")))
            except ValueError:
                self._known = {}

    def get(self, path: Path, split: str | None, few: int | None = None) -> int:
        """Count the samples of a split, as SafePoseDataset does.

        Args:
            path: The annotation file.
            split: Name of the split; None for a file that is a list.
            few: Its ``samples_per_class``.

        Returns:
            Their number.

        Raises:
            As :meth:`classes`.
        """
        sizes = self.classes(path, split).values()
        return sum(size if few is None else min(size, few) for size in sizes)

    def classes(self, path: Path, split: str | None) -> Counter[str]:
        """Count the samples of each class of a split.

        Args:
            path: The annotation file.
            split: Name of the split; None for a file that is a list.

        Returns:
            Their numbers by label.

        Raises:
            FileNotFoundError: If there is no such file.
            pickle.UnpicklingError: If it is no annotation file.
            ValueError: If it has no such split.
        """
        try:
            status = path.stat()
        except OSError:
            raise FileNotFoundError(
                f"annotation file {path} is not there: name it with --ann-file, or "
                "make it with tools/data/prepare_nwucla.py or prepare_ntu.py"
            ) from None
        state = [status.st_size, status.st_mtime_ns]
        entry = self._known.get(str(path))
        # A file of an older version has no classes.
        if not entry or entry.get("state") != state or "classes" not in entry:
            entry = {"state": state, "classes": _count(load_annotations(path))}
            self._known[str(path)] = entry
            self._write()
        sizes: dict[str, dict[str, int]] = entry["classes"]
        name = "" if split is None else split
        if not sizes.get(name):
            raise ValueError(
                f"annotation file {path}: no samples of split '{split}', it has "
                f"{', '.join(sizes) or 'no splits'}"
            )
        return Counter(sizes[name])

    def _write(self) -> None:
        if self.cache is not None:
            with atomic_file(self.cache) as stream:
                stream.write(json.dumps(self._known, indent=1).encode())


def name_of(annotation: Mapping[str, Any]) -> Any:
    """Give the name that splits know a sample by."""
    return annotation.get("filename", annotation.get("frame_dir"))


def _count(content: Any) -> dict[str, Counter[str]]:
    if isinstance(content, list):
        return {"": Counter(str(item.get("label")) for item in content)}
    if not isinstance(content, dict) or "annotations" not in content:
        return {}
    sizes = {}
    for split, members in content.get("split", {}).items():
        chosen = set(members)
        sizes[split] = Counter(
            str(item.get("label"))
            for item in content["annotations"]
            if name_of(item) in chosen
        )
    return sizes
