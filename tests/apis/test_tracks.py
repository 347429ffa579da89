"""Persons of single frames become tracks."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.apis.tracks import Tracker, choose_persons, fill_gaps, join_tracks

BODY = np.random.default_rng(0).uniform(-0.5, 0.5, size=(20, 3))


def person(x: float, z: float = 0.0, confidence: float = 1.0) -> np.ndarray:
    moved = np.add(BODY, [x, 0, z])
    return np.c_[moved, np.full(20, confidence)].astype(np.float32)


def test_who_crosses_and_who_comes_in_any_order() -> None:
    tracker, crowd, rng = Tracker(), Tracker(), np.random.default_rng(0)
    first = rng.permutation(10)
    for t in np.linspace(-1, 1, 41):
        both = tracker.update(np.stack([person(t), person(-t, z=0.3)]))
        assert both.tolist() == [0, 1]
        order = first if t == -1 else rng.permutation(10)
        found = crowd.update(np.stack([person(k + t / 2) for k in order]))
        assert first[found].tolist() == order.tolist()


@pytest.mark.parametrize(
    ("gone", "moved", "seen", "number"),
    [
        *((1, 0.05, 20, 0), (9, 0.5, 20, 0), (10, 0.0, 20, 1), (0, 2.0, 20, 1)),
        *((0, 0.05, 19, 0), (0, 0.05, 1, 0), (0, 0.05, 0, 1)),
    ],
)
def test_who_comes_back(gone: int, moved: float, seen: int, number: int) -> None:
    """Whoever is near and was there lately, however many joints are found."""
    tracker, other = Tracker(max_gap=10), person(moved)
    other[seen:] = [50, 50, 50, 0]
    nobody = [np.zeros((0, 20, 4))] * gone
    frames = [person(0)[None], *nobody, other[None], person(moved + 0.05)[None]]
    found = [tracker.update(people).tolist() for people in frames]
    assert found == [[0], *[[]] * gone, [number], [number if seen else 0]]


def test_join_and_choose() -> None:
    frames = [np.zeros((0, 20, 4)), np.stack([person(1), person(2)]), person(3)[None]]
    joined = join_tracks(frames, [np.array([], int), np.array([7, 3]), np.array([3])])
    none = np.zeros((20, 4))
    expected = [[none, person(1), none], [none, person(2), person(3)]]
    np.testing.assert_array_equal(joined, expected)
    places, sure = [0, 3, 9, 9.8, 20], [1.0, 0.9, 0.2, 0.3, 0.8]
    tracks = np.stack([[person(x, 0, c)] * 10 for x, c in zip(places, sure)])
    meets = np.stack([person(0.1) if t == 5 else none for t in range(10)])[None]
    apart = tracks[:3, :3] * np.eye(3)[:, :, None, None]  # never at the same time
    for given, count, chosen in (
        *((tracks, 1, [0]), (tracks, 2, [3, 2]), (tracks, 3, [3, 2, 0])),
        *((tracks, 9, [0, 1, 4, 3, 2]), (apart, 2, [0, 1])),
        (np.concatenate([tracks, meets]), 2, [3, 2]),
    ):
        np.testing.assert_array_equal(choose_persons(given, count), given[chosen])


def test_fill_gaps() -> None:
    times, at = np.array([0.0, 0.1, 0.4, 0.5, 0.9]), np.linspace(0, 0.9, 10)
    track, expected = (np.stack([person(t) for t in of]) for of in (times, at))
    track[1:3, 4] = 0  # for a while
    np.testing.assert_allclose(fill_gaps(track, times, at, 1), expected, atol=1e-6)
    track[:, 7] = 0  # at all times
    expected[:, 7] = np.delete(expected, 7, axis=1).mean(axis=1)
    expected[:, 7, 3] = 0
    np.testing.assert_allclose(fill_gaps(track, times, at, 1), expected, atol=1e-6)
    expected[7] = 0  # 0.2 s from any frame
    np.testing.assert_allclose(fill_gaps(track, times, at, 0.11), expected, atol=1e-6)
