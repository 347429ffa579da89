"""HAKE part states: what is read, which are the nearest, and the fields."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from gap_mmaction.models.text.part_states import (
    PartState,
    nearest_states,
    part_state_fields,
    read_part_states,
)

STATES = [
    PartState("foot", "stand on"),
    PartState("foot", "kick"),
    PartState("hand", "raise(over head)"),
    PartState("hand", "hold"),
    PartState("hand", "wear"),
]


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "states.txt"
    path.write_text(
        "foot: stand on\nfoot: no_interaction\n\n  hand :  raise(over  head) \n"
    )
    states = read_part_states(str(path))
    assert states == [STATES[0], STATES[2]]
    assert [state.words for state in states] == ["stand on", "raise over head"]


def test_hake(shared: Path) -> None:
    states = read_part_states(shared / "data" / "hake" / "part_states_93.txt")
    counts = Counter(state.part for state in states)
    assert counts == dict(foot=15, leg=14, hip=5, hand=33, arm=7, head=13)
    assert STATES[0] in states


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"foot: kick\nfoot kick", r", line 2: 'foot kick' is no 'part: state'"),
        (b"foot:", ", line 1: 'foot:' is no"),
        (b"foot: ()", r", line 1: 'foot: \(\)' is no"),
        (b"toe: kick", r", line 1: 'toe: kick': the part 'toe' is none of \('head'"),
        (b"leg: bend\n\nleg:  bend", ", line 3: .* stands in line 1 too"),
        (b"\n", " has no part states"),
        (b"foot: no_interaction", " has no part states"),
        (b"foot: \xff", " is no UTF-8 text"),
    ],
)
def test_bad_files(tmp_path: Path, text: bytes, words: str) -> None:
    path = tmp_path / "states.txt"
    with pytest.raises(FileNotFoundError, match=r"'.*states\.txt'; give one"):
        read_part_states(path)
    path.write_bytes(text)
    with pytest.raises(ValueError, match=rf"states\.txt{words}"):
        read_part_states(path)


def _place(*degrees: float) -> torch.Tensor:
    """Returns features in the plane, whose lengths say nothing."""
    angles = torch.deg2rad(torch.tensor(degrees))
    lengths = torch.arange(1.0, 1 + len(degrees))
    return torch.stack([angles.cos(), angles.sin()], 1) * lengths[:, None]


@pytest.mark.parametrize(
    ("k", "threshold", "at_least", "label", "expected"),
    [
        # So many of each part.
        (1, -1, 1, 0, ["kick", "hold"]),
        (2, -1, 1, 0, ["kick", "stand on", "hold", "wear"]),
        (9, 0, 1, 0, ["kick", "stand on", "hold", "wear", "raise(over head)"]),
        # 0.95 is at 18 degrees.
        (2, 0.95, 1, 0, ["kick", "stand on"]),
        (2, 0.95, 1, 25, ["hold", "wear", "stand on"]),
        # None reaches it.
        (2, 0.999, 1, 0, ["kick"]),
        (2, 1, 1, 120, ["raise(over head)"]),
        # So many of a label, but no more of a part for it.
        (2, 0.95, 3, 0, ["kick", "stand on", "hold"]),
        (2, 0.95, 9, 0, ["kick", "stand on", "hold", "wear"]),
        (1, 0.95, 2, 0, ["kick", "hold"]),
    ],
)
def test_nearest(
    k: int, threshold: float, at_least: int, label: float, expected: list[str]
) -> None:
    states = _place(10, 5, 40, 20, 30)
    labels = _place(77, label)
    found = nearest_states(labels, states, STATES, k, threshold, at_least)[1]
    assert [state.name for state, _ in found] == expected


def test_similarity() -> None:
    features = torch.tensor([[0.6, 0.8]])
    kept = nearest_states(torch.tensor([[2.0, 0.0]]), features, STATES[:1], 1, 0.6)
    assert kept == [[(STATES[0], 0.6)]]
    # The noise of a machine: equal ones are in the order of the file.
    features = torch.tensor([[1.0, 0.0], [1.0, 1e-6], [1.0, -1e-6]])
    found = nearest_states(features, features, STATES[2:], 3, 0.5)
    assert [[state for state, _ in kept] for kept in found] == [STATES[2:]] * 3


@pytest.mark.parametrize(
    ("k", "threshold", "at_least", "message"),
    [
        (0, 0.5, 1, "k must be"),
        (1, 0.5, 0, "at_least must be .* got 0"),
        (1, 1.5, 1, "threshold must be"),
        (1, 0, 1, "5 states have 2"),
    ],
)
def test_bad_numbers(k: int, threshold: float, at_least: int, message: str) -> None:
    features = torch.ones(2, 4)
    with pytest.raises(ValueError, match=message):
        nearest_states(features, features, STATES, k, threshold, at_least)


def test_fields() -> None:
    fields = part_state_fields([STATES[2], STATES[0], STATES[3]])
    assert fields == {
        "hake": "hand raise over head, foot stand on, hand hold",
        "hake_hand": "hand raise over head, hand hold",
        "hake_foot": "foot stand on",
        **{f"hake_{p}": f"{p} no interaction" for p in ("head", "arm", "hip", "leg")},
    }
