"""Put samples and splits into one annotation dict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from gap_mmaction.datasets.ntu.sample_name import SampleName
from gap_mmaction.datasets.ntu.splits import NUM_CLASSES, make_splits

RULE_9 = "rule 9: a single actor is not copied into the place of the second"
_MOST_SHOWN = 10


def make_annotations(
    annotations: Sequence[dict[str, Any]], dataset: str, protocol: str
) -> tuple[dict[str, Any], list[str]]:
    """Put samples and splits into one dict.

    Args:
        annotations: One for each sample, as ``convert_skeleton`` makes them.
        dataset: ``"ntu60"`` or ``"ntu120"``.
        protocol: With ``"reference"``, NTU-120 samples of one actor get a copy of it as
            the second one, as in the reference's script (rule 9); with ``"clean"``, and
            in NTU-60 anyway, they have one.

    Returns:
        ``{"split": ..., "annotations": ...}``, what ``PoseDataset`` reads, and the
        names of the samples in which the protocol makes a difference here.
    """
    items = []
    singles = []
    for item in annotations:
        keypoint = item["keypoint"]
        if dataset == "ntu120" and len(keypoint) == 1:
            singles.append(item["frame_dir"])
            if protocol == "reference":
                keypoint = np.repeat(keypoint, 2, axis=0)
        # Made anew, with the same strings as keys and one dtype for all: pickle writes
        # each object once, and the file shall not depend on how work was shared out.
        items.append(
            {
                "frame_dir": item["frame_dir"],
                "label": item["label"],
                "total_frames": item["total_frames"],
                "keypoint": keypoint.view(np.float32),
            }
        )
    splits = make_splits([item["frame_dir"] for item in items], dataset)
    return {"split": splits, "annotations": items}, singles


def find_absent_classes(splits: dict[str, list[str]], dataset: str) -> list[str]:
    """Look for splits in which a class has no sample.

    Args:
        splits: Names of the samples of each split.
        dataset: ``"ntu60"`` or ``"ntu120"``.

    Returns:
        A warning for each such split.
    """
    warnings = []
    for split, names in splits.items():
        counts = Counter(SampleName.parse(name).label for name in names)
        absent = [str(i) for i in range(NUM_CLASSES[dataset]) if not counts[i]]
        if not names:
            warnings.append(f"{split}: no sample at all")
        elif absent:
            shown = ", ".join(absent[:_MOST_SHOWN])
            more = ", ..." if len(absent) > _MOST_SHOWN else ""
            warnings.append(
                f"{split}: no sample of {len(absent)} classes, labels {shown}{more}"
            )
    return warnings
