"""Values of all kinds are written, and shortly."""

from __future__ import annotations

from typing import Any

import numpy as np

from gap_mmaction.utils.brief import brief


def test_brief() -> None:
    bomb: list[Any] = []
    for _ in range(200):
        bomb = [bomb, bomb]
    for value in (10**5000, bomb, "x" * 10**6, np.zeros((9, 9)), [1] * 999):
        text = brief(value)
        assert text and len(text) < 200 and "\n" not in text
    plain: list[Any] = [3, -0.5, "walk", [1, 2], None, {"a": (1,)}]
    for value in plain:
        assert brief(value) == repr(value)
