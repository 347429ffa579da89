"""Damaged files give an exception that names them, or what is right.

The search that hypothesis makes is the same in every run; more examples by
``GAP_FUZZ_EXAMPLES=5000 pytest tests/test_fuzz.py``. ``python -m tests.fuzz.run`` goes
on for as long as wanted.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import mutations
from tests.fuzz.mutations import Mutation
from tests.fuzz.targets import TARGETS, Finding, Target, draw_content, quiet

EXAMPLES = int(os.environ.get("GAP_FUZZ_EXAMPLES", "40"))

search = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

changes = st.lists(
    st.builds(
        Mutation,
        operation=st.sampled_from(mutations.OPERATIONS),
        place=st.integers(0, 2**20),
        amount=st.integers(0, 2**20),
        data=st.sampled_from(mutations.TOKENS) | st.binary(max_size=8),
    ),
    min_size=1,
    max_size=5,
)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    quiet()


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> Target:
    return TARGETS[request.param]


def test_valid_files_are_accepted(target: Target, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(
        "schema: gap-descriptions/1\nclasses: [{label: sit, hand: rests}]\n"
    )
    for data in target.seeds():
        assert target.check(data, tmp_path)


@search
@given(mutated=changes, first=st.integers(0, 9), second=st.integers(0, 9))
def test_damaged_bytes(
    target: Target, tmp_path: Path, mutated: list[Mutation], first: int, second: int
) -> None:
    seeds = target.seeds()
    data = seeds[first % len(seeds)]
    target.check(mutations.apply(data, mutated, seeds[second % len(seeds)]), tmp_path)


@search
@given(seed=st.integers(0, 2**32))
def test_wrong_values(target: Target, tmp_path: Path, seed: int) -> None:
    target.check(draw_content(target, random.Random(seed)), tmp_path)


def test_every_truncation(target: Target, tmp_path: Path) -> None:
    data = min(target.seeds(), key=len)
    for end in range(0, len(data), max(1, len(data) // 50)):
        target.check(data[:end], tmp_path)


def test_a_finding_is_found(tmp_path: Path) -> None:
    def read(path: Path) -> None:
        raise ValueError("something is wrong")

    with pytest.raises(Finding, match="without the file"):
        Target("a.pkl", [], bytes, read).check(b"", tmp_path)
