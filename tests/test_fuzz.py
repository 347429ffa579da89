"""Damaged files give an exception that names them, or what is right.

The search is the same in every run; more inputs of a kind by
``GAP_FUZZ_EXAMPLES=5000 pytest tests/test_fuzz.py``. ``python -m tests.fuzz.run`` goes
on for as long as wanted.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.fuzz.mutations import mutate
from tests.fuzz.targets import TARGETS, Finding, Target, draw_content, quiet

EXAMPLES = int(os.environ.get("GAP_FUZZ_EXAMPLES", "40"))


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> Target:
    quiet()
    return TARGETS[request.param]


def test_valid_files_are_accepted(target: Target, tmp_path: Path) -> None:
    for data in target.seeds():
        assert target.check(data, tmp_path)


def test_damaged_files(target: Target, tmp_path: Path) -> None:
    rng, seeds = random.Random(0), target.seeds()
    for _ in range(EXAMPLES):
        target.check(mutate(rng.choice(seeds), rng.choice(seeds), rng), tmp_path)
        target.check(draw_content(target, rng), tmp_path)
    data = min(seeds, key=len)
    for end in range(0, len(data), max(1, len(data) // 50)):
        target.check(data[:end], tmp_path)


def test_a_finding_is_found(tmp_path: Path) -> None:
    def read(path: Path) -> None:
        raise ValueError("something is wrong")

    with pytest.raises(Finding, match="something is wrong"):
        Target("a.pkl", [], bytes, read).check(b"", tmp_path)
