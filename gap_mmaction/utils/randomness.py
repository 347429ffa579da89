"""Random numbers that depend on what they are for, not on what was drawn before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from gap_mmaction import compat

_WORDS = 4


def derive_seed(*keys: int) -> list[int]:
    """Makes a seed, four words of 32 bits, of what random numbers shall depend on.

    The keys are not negative. numpy's ``SeedSequence`` mixes them, so that neighbouring
    ones lead to unrelated numbers.
    """
    words: list[int] = np.random.SeedSequence(keys).generate_state(_WORDS).tolist()
    return words


def seed_global(words: list[int], devices: bool = True) -> None:
    """Seeds the shared generators of numpy, Python, torch and perhaps the devices."""
    np.random.seed(words)
    whole = sum(word << (32 * i) for i, word in enumerate(words))
    random.seed(whole)
    number = whole % 2**63
    if devices and not compat.lacks_accelerator():
        torch.manual_seed(number)
    else:
        # torch.manual_seed keeps a note, with a stack trace, for devices that are not
        # in use yet: a hundred times slower than this.
        torch.default_generator.manual_seed(number)


@contextmanager
def seeded(*keys: int) -> Iterator[None]:
    """Seeds the shared generators, but no device's, within a block, by some keys."""
    state_numpy, state_python = np.random.get_state(), random.getstate()
    state_torch = torch.default_generator.get_state()
    seed_global(derive_seed(*keys), devices=False)
    try:
        yield
    finally:
        np.random.set_state(state_numpy)
        random.setstate(state_python)
        torch.default_generator.set_state(state_torch)
