"""What the tools share on their command lines."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

import pytest

from gap_mmaction.utils.command_line import (
    cosine,
    count,
    natural,
    not_negative,
    positive,
    tells_errors,
)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (natural, {"0": 0}, ["-1", "1.5"]),
        (count, {"1": 1}, ["0"]),
        (not_negative, {"0": 0.0}, ["-0.1", "nan", "inf"]),
        (positive, {"1e-3": 0.001}, ["0", "x"]),
        (cosine, {"-1": -1.0}, ["1.1", "nan", "x"]),
    ],
)
def test_numbers(kind: Any, good: dict[str, float], bad: list[str]) -> None:
    for text, value in good.items():
        assert kind(text) == value and type(kind(text)) is type(value)
    for text in bad:
        with pytest.raises(ArgumentTypeError):
            kind(text)


def test_errors_are_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    @tells_errors
    def main(error: Exception | None) -> int:
        if error is not None:
            raise error
        return 3

    assert main(None) == 3
    assert main(KeyError("no 'x'")) == main(OSError("no file")) == 1
    assert capsys.readouterr().err == "error: no 'x'\nerror: no file\n"
    with pytest.raises(ZeroDivisionError):
        main(ZeroDivisionError())
