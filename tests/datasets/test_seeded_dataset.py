"""A sample depends on seed, epoch and index, whoever makes it."""

from __future__ import annotations

import contextlib
import copy
import pickle
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, RepeatDataset, pseudo_collate
from torch.utils.data import DataLoader

from gap_mmaction.datasets import SeededDataset
from gap_mmaction.utils.randomness import derive_seed, seed_global, seeded

Epochs = list[list[list[float]]]
SAMPLES = 6


class Noise(BaseDataset):
    """Number of the sample and three draws, as transforms make them."""

    def load_data_list(self) -> list[dict[str, Any]]:
        return [{"number": number} for number in range(SAMPLES)]

    def prepare_data(self, idx: int) -> Any:
        draws = random.random(), np.random.rand(), torch.rand(()).item()
        return [float(self.get_data_info(idx)["number"]), *draws]


def make(seed: int = 3) -> SeededDataset:
    return SeededDataset(RepeatDataset(Noise(serialize_data=False), times=2), seed)


def epochs(dataset: Any, **options: Any) -> Iterator[list[Any]]:
    options |= {"batch_size": 4, "collate_fn": pseudo_collate}
    loader: DataLoader[Any] = DataLoader(dataset, **options)
    for epoch in range(3):
        dataset.set_epoch(epoch)
        yield [row for batch in loader for row in zip(*batch)]


@pytest.fixture(scope="module")
def expected() -> Epochs:
    return list(epochs(make()))


def test_each_is_drawn_anew(expected: Epochs) -> None:
    rows = [row for epoch in expected for row in epoch]
    assert len(rows) == 3 * 2 * SAMPLES
    # Also the two of one sample in an epoch, and none like another.
    for column in list(zip(*rows))[1:]:
        assert len(set(column)) == len(rows)
    assert [row[0] for row in expected[0]] == [*range(SAMPLES)] * 2


@pytest.mark.parametrize("persistent", [False, True])
def test_workers(expected: Epochs, persistent: bool) -> None:
    options = dict(num_workers=2, persistent_workers=persistent)
    assert list(epochs(make(), **options)) == expected


def test_order_and_earlier_draws_do_not_matter(expected: Epochs) -> None:
    dataset = make()
    dataset.set_epoch(2)
    np.random.seed(99)
    for index in reversed(range(len(dataset))):
        assert dataset[index] == list(expected[2][index])
    assert make(seed=4)[0] != make()[0]
    # The rest is the wrapped data set.
    assert dataset.get_data_info(1)["number"] == 1
    assert not hasattr(dataset, "__getitems__")  # by which a loader passes the seeds
    for copied in (copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset))):
        assert copied[5] == dataset[5]


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
