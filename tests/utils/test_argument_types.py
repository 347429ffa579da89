from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

import pytest

from gap_mmaction.utils.argument_types import (
    cosine,
    count,
    natural,
    not_negative,
    positive,
)


@pytest.mark.parametrize(
    "kind, text, value",
    [
        (natural, "0", 0),
        (count, "1", 1),
        (not_negative, "0", 0.0),
        (positive, "1e-3", 0.001),
        (cosine, "-1", -1.0),
    ],
)
def test_good(kind: Any, text: str, value: float) -> None:
    assert kind(text) == value
    assert type(kind(text)) is type(value)


@pytest.mark.parametrize(
    "kind, text",
    [
        (natural, "-1"),
        (natural, "1.5"),
        (count, "0"),
        (not_negative, "-0.1"),
        (not_negative, "nan"),
        (not_negative, "inf"),
        (positive, "0"),
        (positive, "x"),
        (cosine, "1.1"),
        (cosine, "nan"),
        (cosine, "x"),
    ],
)
def test_bad(kind: Any, text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        kind(text)
