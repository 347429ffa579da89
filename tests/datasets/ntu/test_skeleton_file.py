"""The reader of raw text, and what it says of broken files."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gap_mmaction.datasets.ntu.skeleton_file import (
    PADDING,
    parse_decimals,
    parse_skeleton,
)
from tests.ntu_recordings import format_skeleton


def parse_tokens(tokens: list[str]) -> np.ndarray:
    text = PADDING + " ".join(tokens).encode() + b"\n"
    lengths = np.array([len(token) for token in tokens])
    end = np.cumsum(lengths + 1) + len(PADDING) - 1
    return parse_decimals(text, end - lengths, end)


def test_numbers_are_those_of_float() -> None:
    rng = np.random.default_rng(0)
    tokens = [
        f"{value:.{digits}{kind}}"
        for value in rng.normal(0, 3, 300)
        for digits in (0, 1, 6, 7, 14)
        for kind in "fge"
    ]
    plain = [token for token in tokens if "e" not in token and "." in token]
    for chosen in (tokens, plain):
        np.testing.assert_array_equal(parse_tokens(chosen), list(map(float, chosen)))


@pytest.mark.parametrize("others", [[], ["1.25", "-0.5"]])
def test_unusual_numbers(others: list[str]) -> None:
    for token in (
        *("0", "7", "-3", "+0.5", ".5", "-.5", "5.", "-0.0", "1e-05", "2.5E+3"),
        *("123456789012.345", "-123456789012345.6", "0.123456789012345678901"),
        *("99999999999999.9", "0.00000000000001", "000000000000000000.5"),
    ):
        found = parse_tokens([*others, token])
        expected = np.array([float(word) for word in (*others, token)])
        assert found.tobytes() == expected.tobytes()  # with the sign of zero
    for token in (".", "-", "1.2.3", "--1.0", "1.-2", "1_0.5", "abc", "1,5", "1.5x"):
        with pytest.raises(ValueError):
            parse_tokens(["1.5", *others, token, "2.5"])


@pytest.fixture
def lines() -> list[str]:
    """Three frames, the second without a body, the third with two."""
    one, two, three = np.random.default_rng(1).normal(size=(3, 25, 3))
    frames = [[("71", one)], [], [("72", two), ("71", three)]]
    return format_skeleton(frames).decode().split("\n")[:-1]


def parse(lines: list[str], newline: str = "\n") -> list[tuple[str, list[int], bytes]]:
    sequence = parse_skeleton(newline.join(lines).encode(), "a.skeleton")
    return [
        (body.identity, body.frames.tolist(), body.joints.tobytes())
        for body in sequence.bodies
    ]


def test_bodies(lines: list[str]) -> None:
    sequence = parse_skeleton("\n".join([*lines, "1", "", "2"]).encode(), "a")
    assert [body.identity for body in sequence.bodies] == ["71", "72"]
    assert [body.frames.tolist() for body in sequence.bodies] == [[0, 1], [1]]
    assert (sequence.num_frames, sequence.num_empty_frames) == (2, 1)
    assert sequence.num_extra_lines == 2
    words = [line.split() for line in lines]
    for body, frame, first in ((0, 0, 4), (1, 0, 33), (0, 1, 60)):
        expected = np.array(words[first : first + 25])[:, :3].astype(np.float32)
        np.testing.assert_array_equal(sequence.bodies[body].joints[frame], expected)
    assert parse_skeleton(b"2\n0\n0\n", "a").bodies == []
    # Ids beyond float64 are not mixed up.
    both = [(f"7205759403793627{i}", np.ones((25, 3))) for i in (4, 5)]
    assert len(parse_skeleton(format_skeleton([both]), "a").bodies) == 2


def test_forms_of_white_space(lines: list[str]) -> None:
    expected = parse(lines)
    assert parse([*lines, "", " "]) == expected
    for newline in ("\r\n", "\r", " \n", "\n "):
        assert parse(lines, newline) == expected
    for blank in ("  ", "\t"):
        assert parse([line.replace(" ", blank) for line in lines]) == expected


def test_every_truncation_is_found(lines: list[str]) -> None:
    for data in (b"\n \r\n", b"\x00\xff\xfe"):
        with pytest.raises(ValueError, match=r"^a/b, line 1: .*--skip-list"):
            parse_skeleton(data, "a/b")
    data = ("\n".join(lines) + "\n").encode()
    # A cut after the '2' that ends the last line leaves the file whole.
    for length in range(len(data) - 2):
        with pytest.raises(ValueError, match=r"^dir/a, line .*--skip-list") as caught:
            parse_skeleton(data[:length], "dir/a")
        number = int(re.findall(r"line (\d+)", str(caught.value))[0])
        assert abs(number - max(1, len(data[:length].splitlines()))) <= 1


@pytest.mark.parametrize(
    ("line", "text", "found"),
    [
        *((1, text, "number of frames") for text in ("x", "", "0_3")),
        (1, "4", "number of bodies of frame 4 of 4"),
        (2, "1.5", "'1.5' where the number of bodies of frame 1 of 3 should be"),
        (2, "2", "'0' where the 10 fields of a body should be"),
        (2, "0", "number of bodies of frame 2 of 3"),
        (3, "71 0 1", "'71 0 1' where the 10 fields"),
        (4, "20", "'20' where the number of joints, 25"),
        (5, "1 2 3", "12 fields, this line has 3"),
        (20, "a 1 2 3 4 5 6 7 8 9 10 2", "'a' is not a number.*coordinate x"),
        (29, "0 1 2,5 3 4 5 6 7 8 9 10 2", "'2,5' is not a number.*coordinate z"),
        (40, "0 1 nan 3 4 5 6 7 8 9 10 2", "'nan' is not a finite.*coordinate z"),
        (40, "1e39 0 1 3 4 5 6 7 8 9 10 2", "'1e39' is not a finite.*coordinate x"),
        (85, "5 \u00e9", "12 fields, this line has 2"),
    ],
)
def test_malformed(lines: list[str], line: int, text: str, found: str) -> None:
    lines[line - 1] = text
    # A wrong number sends the reader to another line.
    line = {(1, "4"): len(lines), (2, "2"): 30, (2, "0"): 3}.get((line, text), line)
    with pytest.raises(ValueError, match=rf"a\.skeleton, line {line}: .*{found}"):
        parse(lines)


def test_control_characters(lines: list[str]) -> None:
    # 31 is a digit that has lost bits; where a blank was, all fields are still there.
    for code in map(chr, (0, 14, 28, 31)):
        for text in (lines[6].replace(" ", code, 1), lines[6] + code):
            with pytest.raises(ValueError, match=r"a\.skeleton, line 7: "):
                parse([*lines[:6], text, *lines[7:]])
