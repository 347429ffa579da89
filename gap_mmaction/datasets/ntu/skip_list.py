"""Lists of samples to leave out, such as the official one of missing skeletons."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from gap_mmaction.datasets.ntu.sample_name import SampleName


def read_skip_list(path: str | PathLike[str]) -> tuple[set[str], list[str]]:
    """Read sample names, one for each line.

    Args:
        path: A text file such as ``NTU_RGBD120_samples_with_missing_skeletons.txt`` of
            github.com/shahroudy/NTURGB-D. Empty lines and lines that begin with ``#``
            are passed over; a suffix ``.skeleton`` may stand after a name.

    Returns:
        The names, and the other lines, with their numbers, for a warning: the official
        lists have had a heading.

    Raises:
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.
        ValueError: If no line is the name of a sample.
    """
    source = Path(path)
    if source.is_dir():
        raise IsADirectoryError(
            f"skip list '{source}' is a folder; give the path of a text file with the "
            "name of a sample in each line"
        )
    if not source.is_file():
        raise FileNotFoundError(
            f"skip list '{source}' not found; give the path of a text file with the "
            "name of a sample in each line"
        )
    names: set[str] = set()
    others: list[str] = []
    text = source.read_text(encoding="utf-8", errors="replace").lstrip("\ufeff")
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        name = entry[: -len(".skeleton")] if entry.endswith(".skeleton") else entry
        try:
            SampleName.parse(name)
        except ValueError:
            others.append(f"line {number}: {entry[:60]}")
        else:
            names.add(name)
    if not names:
        raise ValueError(
            f"skip list '{source}': no line is the name of a sample, such as "
            "S001C002P005R002A008"
        )
    return names, others
