"""Sample names of NTU RGB+D, the evaluation protocols, and lists of samples to skip."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")

# Largest value of each part in NTU RGB+D 120 (Liu et al., TPAMI 2019), and in its first
# half, NTU RGB+D (Shahroudy et al., CVPR 2016).
_LIMITS_120 = dict(setup=32, camera=3, performer=106, replication=2, action=120)
_LIMITS_60 = {**_LIMITS_120, "setup": 17, "performer": 40, "action": 60}
_TWO_PERSON_ACTIONS = (*range(50, 61), *range(106, 121))

_PERFORMERS_60 = {1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38}
_PERFORMERS_120 = _PERFORMERS_60 | {
    *(45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87)),
    *(89, *range(91, 96), 97, 98, 100, 103),
}
_TRAINING = {
    "ntu60": {"xsub": ("performer", _PERFORMERS_60), "xview": ("camera", {2, 3})},
    "ntu120": {
        "xsub": ("performer", _PERFORMERS_120),
        "xset": ("setup", {*range(2, 33, 2)}),
    },
}
_LIMITS = {"ntu60": _LIMITS_60, "ntu120": _LIMITS_120}
NUM_CLASSES = {"ntu60": 60, "ntu120": 120}
_MOST_SHOWN = 10


class SampleName(NamedTuple):
    """The parts of a name such as ``S001C002P003R002A013``, each from 1 on."""

    setup: int
    camera: int
    performer: int
    replication: int
    action: int

    @classmethod
    def parse(cls, name: str, where: str = "") -> SampleName:
        """Takes a file name without its suffix apart; errors begin with ``where``."""
        match = _NAME.fullmatch(name)
        if match is None:
            form = "SsssCcccPpppRrrrAaaa"
            raise ValueError(f"{where or name}: not a name of the form {form}")
        parts = cls(*map(int, match.groups()))
        for key, limit in _LIMITS_120.items():
            value = getattr(parts, key)
            if not 1 <= value <= limit:
                raise ValueError(
                    f"{where or name}: unknown {key} {value}, NTU RGB+D 120 has 1 to "
                    f"{limit}"
                )
        return parts

    @property
    def label(self) -> int:
        """The 0-based class index."""
        return self.action - 1

    @property
    def is_ntu60(self) -> bool:
        """Whether NTU RGB+D 60 has such a sample."""
        return all(getattr(self, key) <= limit for key, limit in _LIMITS_60.items())

    @property
    def is_two_person(self) -> bool:
        """Whether the action is one of two persons."""
        return self.action in _TWO_PERSON_ACTIONS


def find_dataset(names: Iterable[str]) -> str:
    """Returns ``"ntu60"``, or ``"ntu120"`` if there is a sample that only it has."""
    is_ntu60 = all(SampleName.parse(name).is_ntu60 for name in names)
    return "ntu60" if is_ntu60 else "ntu120"


def make_splits(names: Iterable[str], dataset: str) -> dict[str, list[str]]:
    """Deals samples out to ``xsub_train``, ``xsub_val`` and two of the other protocol.

    Each is in the order of the reference: by performer, camera or setup first, as in
    ``names`` within each. Performers who are only in NTU RGB+D 120 are in no list of
    the reference for the other.
    """
    parsed = [(name, SampleName.parse(name)) for name in names]
    splits: dict[str, list[str]] = {}
    for protocol, (key, training) in _TRAINING[dataset].items():
        every = ((getattr(parts, key), i) for i, (_, parts) in enumerate(parsed))
        groups = sorted(pair for pair in every if pair[0] <= _LIMITS[dataset][key])
        for subset, is_train in (("train", True), ("val", False)):
            splits[f"{protocol}_{subset}"] = [
                parsed[i][0] for group, i in groups if (group in training) == is_train
            ]
    return splits


def find_absent_classes(splits: dict[str, list[str]], dataset: str) -> list[str]:
    """Returns a warning for each split in which a class has no sample."""
    warnings = []
    remedy = "give all archives by --raw, and see the report for dropped samples"
    total = NUM_CLASSES[dataset]
    for split, names in splits.items():
        found = {SampleName.parse(name).action for name in names}
        absent = [f"A{i:03d}" for i in range(1, total + 1) if i not in found]
        if not names:
            warnings.append(f"{split}: no sample at all; {remedy}")
        elif absent:
            more = ", ..." if len(absent) > _MOST_SHOWN else ""
            warnings.append(
                f"{split}: no sample of {len(absent)} of {total} classes, "
                f"{', '.join(absent[:_MOST_SHOWN])}{more}; {remedy}"
            )
    return warnings


def read_skip_list(path: str | PathLike[str]) -> tuple[set[str], list[str]]:
    """Reads sample names to leave out, one for each line, perhaps with the suffix.

    The file is one such as ``NTU_RGBD120_samples_with_missing_skeletons.txt`` of
    github.com/shahroudy/NTURGB-D. Empty lines and those that begin with ``#`` are
    passed over; other lines, as the heading of official lists, come second.
    """
    remedy = "give the path of a text file with the name of a sample in each line"
    if Path(path).is_dir():
        raise IsADirectoryError(f"skip list '{path}' is a folder; {remedy}")
    if not Path(path).is_file():
        raise FileNotFoundError(f"skip list '{path}' not found; {remedy}")
    names, others = set(), []
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        name = entry.removesuffix(".skeleton")
        try:
            SampleName.parse(name)
            names.add(name)
        except ValueError:
            others.append(f"line {number}: {entry[:60]}")
    if not names:
        raise ValueError(
            f"skip list '{path}': no line is the name of a sample, such as "
            "S001C002P005R002A008"
        )
    return names, others
