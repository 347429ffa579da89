"""Whether score files are of the same samples in the same order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .score_file import ScoreFile


def check_same_samples(files: Sequence[ScoreFile]) -> bool:
    """Checks that files belong together; each is compared with the first.

    Returns:
        Whether the samples' names were compared. If not, because a file has none,
        the labels alone say that the order is the same.

    Raises:
        ValueError: If the samples, their order, labels or number of classes differ.
    """
    first = files[0]
    for other in files[1:]:
        pair = f"{other.path} and {first.path} do not belong together"
        left, right = other.scores.shape[1], first.scores.shape[1]
        if left != right:
            raise ValueError(f"{pair}: scores of {left} classes and of {right}")
        _check_ids(other, first, pair)
        if len(other.labels) != len(first.labels):
            raise ValueError(
                f"{pair}: {len(other.labels)} samples and {len(first.labels)}; test "
                "both on the same split"
            )
        differing = np.flatnonzero(other.labels != first.labels)
        if len(differing):
            i = int(differing[0])
            raise ValueError(
                f"{pair}: {other.name(i)} has label {other.labels[i]} in the one and "
                f"{first.labels[i]} in the other, and {len(differing)} samples differ; "
                "test both on the same split, unshuffled"
            )
    return all(file.sample_ids is not None for file in files)


def _check_ids(other: ScoreFile, first: ScoreFile, pair: str) -> None:
    left, right = other.sample_ids, first.sample_ids
    if left is None or right is None or left == right:
        return
    for names, others, path in ((left, right, other.path), (right, left, first.path)):
        known = set(others)
        alone = [name for name in names if name not in known]
        if alone:
            raise ValueError(
                f"{pair}: {len(alone)} of {len(names)} samples are only in {path}, "
                f"such as '{alone[0]}'; test both on the same split"
            )
    i = next(i for i, (a, b) in enumerate(zip(left, right)) if a != b)
    raise ValueError(
        f"{pair}: the same samples in another order, sample {i} is '{left[i]}' in the "
        f"one and '{right[i]}' in the other; test both unshuffled"
    )
