"""Texts whose common beginnings stand once."""

from __future__ import annotations

import pytest
import torch

from gap_mmaction.models.text.causal_tower import PrefixTree


def _random_texts(seed: int, count: int, length: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, length + 1, (count,), generator=generator)
    # Few distinct tokens, so that beginnings are shared.
    return torch.randint(0, 3, (count, length), generator=generator), lengths


@pytest.mark.parametrize("seed", range(8))
def test_every_beginning_once(seed: int) -> None:
    ids, lengths = _random_texts(seed, 40, 12)
    tree = PrefixTree(ids, lengths, bucket_size=4)
    texts = [row[:n].tolist() for row, n in zip(ids, lengths.tolist())]
    beginnings = {tuple(text[:k]) for text in texts for k in range(1, len(text) + 1)}
    assert len(tree.ids) == len(tree.positions) == len(beginnings)

    found: list[list[int]] = []
    for nodes, group_lengths in tree.groups:
        assert len(nodes) == len(group_lengths)
        assert nodes.shape[1] == group_lengths.max()
        assert (nodes.shape[1] - group_lengths).max() < 4
        for row, n in zip(nodes, group_lengths.tolist()):
            assert tree.positions[row[:n]].tolist() == list(range(n))
            assert (row[n:] == row[n - 1]).all()
            found.append(tree.ids[row[:n]].tolist())
    assert [found[i] for i in tree.order.tolist()] == texts


@pytest.mark.parametrize("seed", range(4))
def test_source_is_no_padding(seed: int) -> None:
    ids, lengths = _random_texts(seed, 30, 9)
    tree = PrefixTree(ids, lengths)
    nodes = torch.cat([group.flatten() for group, _ in tree.groups])
    seen = torch.cat(
        [
            (torch.arange(group.shape[1]) < of_text[:, None]).flatten()
            for group, of_text in tree.groups
        ]
    )
    assert torch.equal(nodes[tree.source], torch.arange(len(tree.ids)))
    assert seen[tree.source].all()


def test_same_text_twice() -> None:
    ids = torch.tensor([[5, 1, 2], [5, 1, 2], [5, 3, 0]])
    tree = PrefixTree(ids, torch.tensor([3, 3, 2]))
    assert sorted(tree.ids.tolist()) == [1, 2, 3, 5]
    assert sorted(tree.order.tolist()) == [0, 1, 2]


def test_one_text() -> None:
    tree = PrefixTree(torch.tensor([[7, 0, 0]]), torch.tensor([1]))
    assert tree.ids.tolist() == [7]
    assert tree.groups[0][0].tolist() == [[0]]
