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


class TestReading:
    def test_good(self, tmp_path: Path) -> None:
        path = tmp_path / "states.txt"
        path.write_text(
            "foot: stand on\nfoot: no_interaction\n\n  hand :  raise(over  head) \n"
        )
        states = read_part_states(str(path))
        assert states == [
            PartState("foot", "stand on"),
            PartState("hand", "raise(over head)"),
        ]
        assert [state.words for state in states] == ["stand on", "raise over head"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("foot: kick\nfoot kick", r"states.txt, line 2: 'foot kick' is no 'part: "),
            ("foot:", r"line 1: 'foot:' is no"),
            ("foot: ()", r"line 1: 'foot: \(\)' is no"),
            ("toe: kick", r"line 1: 'toe: kick': the part 'toe' is none of \('head'"),
            ("leg: bend\n\nleg:  bend", r"line 3: .* stands in line 1 too, remove"),
            ("\n", "has no part states, give lines like"),
            ("foot: no_interaction", "has no part states"),
        ],
    )
    def test_bad(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / "states.txt"
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_part_states(path)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"'.*gone.txt'; give one"):
            read_part_states(tmp_path / "gone.txt")

    def test_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "states.txt"
        path.write_bytes(b"foot: \xff")
        with pytest.raises(ValueError, match=r"states.txt is no UTF-8 text"):
            read_part_states(path)

    def test_hake(self, shared: Path) -> None:
        path = shared / "data" / "hake" / "part_states_93.txt"
        states = read_part_states(path)
        counts = Counter(state.part for state in states)
        assert counts == dict(foot=15, leg=14, hip=5, hand=33, arm=7, head=13)
        assert PartState("foot", "stand on") in states


class TestNearest:
    # In the plane, at these degrees from a label at 0.
    DEGREES = (10.0, 5.0, 40.0, 20.0, 30.0)

    def find(
        self,
        k: int,
        threshold: float,
        labels: tuple[float, ...] = (0.0,),
        at_least: int = 1,
    ) -> list[list[str]]:
        def place(*degrees: float) -> torch.Tensor:
            angles = torch.deg2rad(torch.tensor(degrees))
            # Their lengths say nothing.
            lengths = torch.arange(1.0, 1 + len(degrees))
            return torch.stack([angles.cos(), angles.sin()], 1) * lengths[:, None]

        found = nearest_states(
            place(*labels), place(*self.DEGREES), STATES, k, threshold, at_least
        )
        return [[state.name for state, _ in kept] for kept in found]

    def test_k_of_each_part(self) -> None:
        assert self.find(1, -1) == [["kick", "hold"]]
        assert self.find(2, -1) == [["kick", "stand on", "hold", "wear"]]
        assert self.find(9, 0) == [
            ["kick", "stand on", "hold", "wear", "raise(over head)"]
        ]

    def test_threshold(self) -> None:
        limit = 0.95  # 18 degrees
        assert self.find(2, limit) == [["kick", "stand on"]]
        assert self.find(2, limit, (0.0, 25.0)) == [
            ["kick", "stand on"],
            ["hold", "wear", "stand on"],
        ]

    def test_none_reaches_it(self) -> None:
        assert self.find(2, 0.999) == [["kick"]]
        assert self.find(2, 1, (0.0, 120.0)) == [["kick"], ["raise(over head)"]]

    def test_at_least(self) -> None:
        limit = 0.95  # 18 degrees
        for at_least, expected in (
            (2, ["kick", "stand on"]),
            (3, ["kick", "stand on", "hold"]),
            (9, ["kick", "stand on", "hold", "wear"]),
        ):
            assert self.find(2, limit, at_least=at_least) == [expected]
        # No more of a part for it.
        assert self.find(1, limit, at_least=2) == [["kick", "hold"]]

    def test_similarity(self) -> None:
        features = torch.tensor([[0.6, 0.8]])
        kept = nearest_states(torch.tensor([[2.0, 0.0]]), features, STATES[:1], 1, 0.6)
        assert kept == [[(STATES[0], 0.6)]]

    def test_equal_ones_in_the_order_of_the_file(self) -> None:
        # The noise of a machine.
        features = torch.tensor([[1.0, 0.0], [1.0, 1e-6], [1.0, -1e-6]])
        found = nearest_states(features, features, STATES[2:], 3, 0.5)
        assert [[state for state, _ in kept] for kept in found] == [STATES[2:]] * 3

    @pytest.mark.parametrize(
        ("k", "threshold", "message"),
        [(0, 0.5, "k must be"), (1, 1.5, "threshold must be"), (1, 0, "3 states have")],
    )
    def test_bad(self, k: int, threshold: float, message: str) -> None:
        features = torch.ones(2, 4)
        with pytest.raises(ValueError, match=message):
            nearest_states(features, features, STATES[:3], k, threshold)
        with pytest.raises(ValueError, match="at_least must be at least 1, got 0"):
            nearest_states(features, features, STATES[:2], 1, 0.5, at_least=0)


def test_fields() -> None:
    fields = part_state_fields([STATES[2], STATES[0], STATES[3]])
    assert fields == {
        "hake": "hand raise over head, foot stand on, hand hold",
        "hake_head": "head no interaction",
        "hake_hand": "hand raise over head, hand hold",
        "hake_arm": "arm no interaction",
        "hake_hip": "hip no interaction",
        "hake_leg": "leg no interaction",
        "hake_foot": "foot stand on",
    }
