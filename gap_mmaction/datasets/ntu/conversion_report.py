"""What was dropped, what looks odd, what was changed."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from os import PathLike

from gap_mmaction.utils.atomic_file import atomic_file

Note = tuple[str, str, str]
"""Name of a sample, kind (``dropped``, ``suspicious``, ``changed``) and reason."""


def summarise(notes: Iterable[Note]) -> str:
    """Counts the reasons of each kind, the most frequent first, in a few lines."""
    lines = []
    for kind in ("dropped", "suspicious", "changed"):
        found = [(name, reason) for name, noted, reason in notes if noted == kind]
        lines.append(f"{kind}: {len({name for name, _ in found}):,} samples")
        reasons = Counter(reason for _, reason in found)
        lines += [f"  {n:>7,}  {reason}" for reason, n in reasons.most_common()]
    return "\n".join(lines)


def write_report(notes: Iterable[Note], path: str | PathLike[str]) -> None:
    """Writes all notes as CSV, sorted by sample."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("sample", "kind", "reason"))
    writer.writerows(sorted(notes))
    with atomic_file(path) as stream:
        stream.write(text.getvalue().encode())
