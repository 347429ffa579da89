"""What was dropped, what looks odd, what was changed."""

from __future__ import annotations

import csv
import io
from collections import Counter
from os import PathLike

from gap_mmaction.utils.atomic_file import atomic_file

KINDS = ("dropped", "suspicious", "changed")


class ConversionReport:
    """Notes on samples: name, kind (one of ``KINDS``) and reason of each."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str, str]] = []

    def add(self, name: str, kind: str, reason: str) -> None:
        """Notes something about a sample."""
        self.notes.append((name, kind, reason))

    def summarise(self) -> str:
        """Counts the reasons of each kind, the most frequent first, in a few lines."""
        lines = []
        for kind in KINDS:
            found = [
                (name, reason) for name, noted, reason in self.notes if noted == kind
            ]
            lines.append(f"{kind}: {len({name for name, _ in found}):,} samples")
            reasons = Counter(reason for _, reason in found)
            lines += [f"  {n:>7,}  {reason}" for reason, n in reasons.most_common()]
        return "\n".join(lines)

    def write(self, path: str | PathLike[str]) -> None:
        """Writes all notes as CSV, sorted by sample."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("sample", "kind", "reason"))
        writer.writerows(sorted(self.notes))
        with atomic_file(path) as stream:
            stream.write(text.getvalue().encode())
