"""Waits double, up to a limit, and are drawn the same in every run."""

from __future__ import annotations

from gap_mmaction.generation.backoff import Backoff


def test_waits() -> None:
    waits = list(Backoff(retries=9, first=1.0, longest=60.0).waits("a"))
    for wait, most in zip(waits, (1, 2, 4, 8, 16, 32, 60, 60, 60)):
        assert most / 2 <= wait <= most
    assert len(waits) == 9
    assert len(set(waits)) == 9


def test_seeded() -> None:
    def waits(seed: int, question: str) -> list[float]:
        return list(Backoff(seed=seed).waits(question))

    assert waits(1, "a") == waits(1, "a")
    assert waits(1, "a") != waits(2, "a")
    assert waits(1, "a") != waits(1, "b")


def test_limits() -> None:
    assert list(Backoff(retries=0).waits("a")) == []
    assert list(Backoff(retries=2, first=0.0).waits("a")) == [0.0, 0.0]
    assert max(Backoff(retries=5000, longest=3.0).waits("a")) <= 3.0
