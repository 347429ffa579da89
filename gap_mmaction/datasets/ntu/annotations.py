"""The last steps to the annotation file."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from gap_mmaction.datasets.ntu.sample_name import SampleName
from gap_mmaction.datasets.ntu.splits import NUM_CLASSES

RULE_9 = "rule 9: a single actor is not copied into the place of the second"
_MOST_SHOWN = 10


def lacks_second_actor(annotation: dict[str, Any], dataset: str) -> bool:
    """Tell whether rule 9 of the reference is about a sample.

    Args:
        annotation: As ``convert_skeleton`` makes them.
        dataset: ``"ntu60"`` or ``"ntu120"``.

    Returns:
        Whether it is one of NTU-120 with one actor. The protocol makes a difference in
        these.
    """
    return dataset == "ntu120" and len(annotation["keypoint"]) == 1


def finish_annotation(
    annotation: dict[str, Any], dataset: str, protocol: str
) -> dict[str, Any]:
    """Apply rule 9 of the reference.

    Args:
        annotation: As ``convert_skeleton`` makes them.
        dataset: ``"ntu60"`` or ``"ntu120"``.
        protocol: With ``"reference"``, NTU-120 samples of one actor get a copy of it as
            the second one, as in the reference's script; with ``"clean"``, and in
            NTU-60 anyway, they have one.

    Returns:
        What ``PoseDataset`` reads of a sample.
    """
    if protocol != "reference" or not lacks_second_actor(annotation, dataset):
        return annotation
    return {**annotation, "keypoint": np.repeat(annotation["keypoint"], 2, axis=0)}


def find_absent_classes(splits: dict[str, list[str]], dataset: str) -> list[str]:
    """Look for splits in which a class has no sample.

    Args:
        splits: Names of the samples of each split.
        dataset: ``"ntu60"`` or ``"ntu120"``.

    Returns:
        A warning for each such split.
    """
    warnings = []
    remedy = (
        "give all archives by --raw, and see the report for samples that were dropped"
    )
    for split, names in splits.items():
        counts = Counter(SampleName.parse(name).action for name in names)
        total = NUM_CLASSES[dataset]
        absent = [f"A{i:03d}" for i in range(1, total + 1) if not counts[i]]
        if not names:
            warnings.append(f"{split}: no sample at all; {remedy}")
        elif absent:
            shown = ", ".join(absent[:_MOST_SHOWN])
            more = ", ..." if len(absent) > _MOST_SHOWN else ""
            warnings.append(
                f"{split}: no sample of {len(absent)} of {total} classes, {shown}{more}"
                f"; {remedy}"
            )
    return warnings
