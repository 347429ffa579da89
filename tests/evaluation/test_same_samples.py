"""Files of other samples are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.evaluation import ScoreFile, check_same_samples

LABELS = [0, 1, 2, 1]
NAMES = ["a", "b", "c", "d"]


def file(
    path: str, labels: list[int], ids: list[str] | None = None, classes: int = 3
) -> ScoreFile:
    return ScoreFile(path, np.zeros((len(labels), classes)), np.array(labels), ids)


def test_same() -> None:
    named, unnamed = file("x", LABELS, NAMES), file("y", LABELS)
    assert check_same_samples([named])
    assert check_same_samples([named, named, named])
    assert not check_same_samples([named, unnamed])
    assert not check_same_samples([unnamed, unnamed])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (file("y", LABELS, classes=4), "scores of 4 classes and of 3"),
        (file("y", LABELS[:3]), "3 samples and 4"),
        (file("y", [0, 1, 1, 2]), "sample 2 .*has label 1 .* and 2 .*, and 2 samples"),
        (
            file("y", [0, 2, 1, 1], ["a", "c", "b", "d"]),
            "in another order, sample 1 is 'c' in the one and 'b' in the other",
        ),
        (file("y", LABELS, ["a", "e", "c", "d"]), "1 of 4 samples are only in y.*'e'"),
        (file("y", LABELS[:3], NAMES[:3]), "1 of 4 samples are only in x.*'d'"),
    ],
)
def test_different(other: ScoreFile, message: str) -> None:
    first = file("x", LABELS, NAMES)
    with pytest.raises(
        ValueError, match=f"y and x do not belong together: .*{message}"
    ):
        check_same_samples([first, first, other])
