"""Numbers that depend on what they are for."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import torch

from gap_mmaction.utils.randomness import derive_seed, seed_global, seeded


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_draws_depend_on_every_key_and_nothing_else() -> None:
    keys = [(1, 3, 0, 7), (1, 3, 7, 0), (1, 3, 0, 8), (2, 3, 0, 7), (1, 4, 0, 7)]
    first = []
    for key in keys:
        with seeded(*key):
            first.append(draw())
    draw()
    for key, expected in zip(reversed(keys), reversed(first)):
        with seeded(*key):
            assert draw() == expected
    for numbers in zip(*first):
        assert len(set(numbers)) == len(keys)


def test_what_others_draw_stays_the_same() -> None:
    seed_global(derive_seed(5))
    expected = [draw(), draw()]
    seed_global(derive_seed(5))
    found = [draw()]
    with contextlib.suppress(KeyError), seeded(1):
        draw()
        raise KeyError
    assert [*found, draw()] == expected
    assert torch.initial_seed() == torch.default_generator.initial_seed()
