"""What was dropped, what looks odd, what was changed."""

from __future__ import annotations

import csv
import io
from collections import Counter
from os import PathLike

from gap_mmaction.utils.atomic_file import atomic_file

KINDS = ("dropped", "suspicious", "changed")


class Report:
    """Notes on samples.

    Attributes:
        notes: Name of the sample, kind (``KINDS``) and reason of each.
    """

    def __init__(self) -> None:
        self.notes: list[tuple[str, str, str]] = []

    def add(self, name: str, kind: str, reason: str) -> None:
        """Note something.

        Args:
            name: The sample.
            kind: One of ``KINDS``.
            reason: What there is to say.
        """
        self.notes.append((name, kind, reason))

    def count(self, kind: str) -> int:
        """Count samples.

        Args:
            kind: One of ``KINDS``.

        Returns:
            Number of samples with a note of the kind.
        """
        return len({name for name, noted, _ in self.notes if noted == kind})

    def summarise(self) -> str:
        """Count the reasons of each kind.

        Returns:
            A few lines of text, the most frequent reasons first.
        """
        lines = []
        for kind in KINDS:
            lines.append(f"{kind}: {self.count(kind):,} samples")
            reasons = Counter(
                reason for _, noted, reason in self.notes if noted == kind
            )
            lines += [f"  {n:>7,}  {reason}" for reason, n in reasons.most_common()]
        return "\n".join(lines)

    def write(self, path: str | PathLike[str]) -> None:
        """Write all notes as CSV, sorted by sample.

        Args:
            path: Where to.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("sample", "kind", "reason"))
        writer.writerows(sorted(self.notes))
        with atomic_file(path) as stream:
            stream.write(text.getvalue().encode())
