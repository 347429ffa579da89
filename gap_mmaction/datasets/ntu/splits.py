"""The evaluation protocols of NTU RGB+D 60 and 120."""

from __future__ import annotations

from collections.abc import Iterable

from gap_mmaction.datasets.ntu.sample_name import SampleName

_PERFORMERS_60 = frozenset(
    (1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38)
)
_PERFORMERS_120 = _PERFORMERS_60 | {
    *(45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87)),
    *(89, *range(91, 96), 97, 98, 100, 103),
}
_CAMERAS_60 = frozenset((2, 3))
_SETUPS_120 = frozenset(range(2, 33, 2))

_TRAINING = {
    "ntu60": {
        "xsub": ("performer", _PERFORMERS_60),
        "xview": ("camera", _CAMERAS_60),
    },
    "ntu120": {
        "xsub": ("performer", _PERFORMERS_120),
        "xset": ("setup", _SETUPS_120),
    },
}

NUM_CLASSES = {"ntu60": 60, "ntu120": 120}
"""Number of classes of each data set."""


def find_dataset(names: Iterable[str]) -> str:
    """Tell which data set samples are of.

    Args:
        names: Sample names.

    Returns:
        ``"ntu60"``, or ``"ntu120"`` if there is any that NTU-60 does not have: an
        action above 60, a performer above 40 or a setup above 17.
    """
    is_ntu60 = all(SampleName.parse(name).is_ntu60 for name in names)
    return "ntu60" if is_ntu60 else "ntu120"


def make_splits(names: Iterable[str], dataset: str) -> dict[str, list[str]]:
    """Deal samples out to the splits of a data set.

    Args:
        names: Sample names.
        dataset: ``"ntu60"`` (``xsub``, ``xview``) or ``"ntu120"`` (``xsub``, ``xset``).

    Returns:
        ``xsub_train``, ``xsub_val`` and so on, each in the order of the reference:
        by performer, camera or setup first, as in ``names`` within each.

    Raises:
        KeyError: If there is no such data set.
        ValueError: If a name is not that of a sample.
    """
    if dataset not in _TRAINING:
        raise KeyError(f"dataset={dataset!r}: not one of {', '.join(_TRAINING)}")
    parsed = [(name, SampleName.parse(name)) for name in names]
    splits: dict[str, list[str]] = {}
    for protocol, (key, training) in _TRAINING[dataset].items():
        groups = sorted((getattr(parts, key), i) for i, (_, parts) in enumerate(parsed))
        for subset, is_train in (("train", True), ("val", False)):
            splits[f"{protocol}_{subset}"] = [
                parsed[i][0] for group, i in groups if (group in training) == is_train
            ]
    return splits
