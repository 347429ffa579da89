"""Values of all kinds are written, and shortly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gap_mmaction.utils.brief import brief


def bomb() -> list[Any]:
    value: list[Any] = []
    for _ in range(200):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(10**5000, id="huge"),
        bomb(),
        "x" * 10**6,
        np.zeros((9, 9)),
        b"y" * 10**6,
        [1] * 999,
    ],
)
def test_no_value_fails_or_is_long(value: Any) -> None:
    text = brief(value)
    assert text
    assert len(text) < 200
    assert "\n" not in text


@pytest.mark.parametrize("value", [3, -0.5, "walk", [1, 2], None, {"a": (1,)}])
def test_small_values_are_as_they_are(value: Any) -> None:
    assert brief(value) == repr(value)
