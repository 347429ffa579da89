"""A text tower over common beginnings against the tower itself."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gap_mmaction.models import OpenCLIPTextEncoder
from gap_mmaction.models.text import open_clip_encoder
from gap_mmaction.models.text.causal_tower import (
    PrefixTree,
    encode_prefix_tree,
    is_plain_causal,
)
from tests.models.text_common import TINY_CLIP

open_clip: Any = pytest.importorskip("open_clip")
TEXTS = [
    "walk around",
    "throw",
    "walk around, both arms swing at the sides of the body",
    "walk around, both legs step in turns",
    "carry",
    "sit down, the hips are lowered and the upper body leans back at last, slowly",
]
NAMES: dict[str, dict[str, Any]] = {
    "plain": {},
    "scaled": dict(ls_init_value=0.5),
    "linear": dict(proj_bias=True),
    "no-projection": dict(proj_type="none"),
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, change in NAMES.items():
        config = copy.deepcopy(TINY_CLIP)
        config["text_cfg"].update(change)
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, config)


def _encoder(name: str = "plain", **kwargs: Any) -> OpenCLIPTextEncoder:
    torch.manual_seed(0)
    encoder = OpenCLIPTextEncoder(name, pretrained=None, **kwargs).double()
    with torch.no_grad():
        # As they start, biases and positions are (next to) nothing.
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder


def _gradients(encoder: OpenCLIPTextEncoder, features: Tensor) -> dict[str, Tensor]:
    encoder.zero_grad()
    (features * torch.arange(features.numel()).view_as(features).sin()).sum().backward()
    return {n: p.grad for n, p in encoder.named_parameters() if p.grad is not None}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the encodings over common beginnings, so that no test goes around them."""
    counted: list[int] = []

    def count(tower: Any, tree: Any) -> Tensor:
        counted.append(len(tree.ids))
        return encode_prefix_tree(tower, tree)

    monkeypatch.setattr(open_clip_encoder, "encode_prefix_tree", count)
    return counted


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_features_and_gradients(
    name: str, checkpointing: bool, calls: list[int]
) -> None:
    encoder = _encoder(name, gradient_checkpointing=checkpointing)
    tokens = encoder.tokenize(TEXTS)
    rows = torch.tensor([5, 0, 3, 2])
    shared = encoder.encode_tokens(tokens, rows)
    plain = encoder({key: value[rows] for key, value in tokens.items()})
    assert calls and calls[0] < tokens["mask"][rows].sum()
    torch.testing.assert_close(shared, plain, rtol=1e-10, atol=1e-12)
    expected = _gradients(encoder, plain)
    found = _gradients(encoder, shared)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


def test_autocast(calls: list[int]) -> None:
    encoder = _encoder().float()
    tokens, rows = encoder.tokenize(TEXTS), torch.arange(len(TEXTS))
    full = encoder.encode_tokens(tokens, rows)
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder.encode_tokens(tokens, rows)
    assert len(calls) == 2
    assert (half - full).abs().max() < 0.05 * full.abs().max()
    assert not torch.equal(half.float(), full)


@pytest.mark.parametrize("name", ["", "token_embedding", "transformer.resblocks.0"])
def test_a_tower_with_hooks_computes_by_its_own_means(
    name: str, calls: list[int]
) -> None:
    encoder = _encoder()
    tokens, rows = encoder.tokenize(TEXTS), torch.tensor([1, 2])
    before = encoder.encode_tokens(tokens, rows)
    module = encoder.tower.get_submodule(name)
    handle = module.register_forward_hook(lambda module, args, out: 2 * out)
    after = encoder.encode_tokens(tokens, rows)
    handle.remove()
    assert len(calls) == 1
    assert not torch.allclose(before, after)


def test_other_attention() -> None:
    class Adapted(nn.MultiheadAttention):
        pass

    tower = _encoder().tower
    assert is_plain_causal(tower)
    block = tower.transformer.resblocks[-1]
    block.attn = Adapted(block.attn.embed_dim, block.attn.num_heads)
    assert not is_plain_causal(tower)


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("seed", range(4))
def test_every_beginning_once(seed: int, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 13, (count,), generator=generator)
    # Few distinct tokens, so that beginnings are shared.
    ids = torch.randint(0, 3, (count, 12), generator=generator)
    tree = PrefixTree(ids, lengths, bucket_size=4)
    texts = [row[:n].tolist() for row, n in zip(ids, lengths.tolist())]
    beginnings = {tuple(text[:k]) for text in texts for k in range(1, len(text) + 1)}
    assert len(tree.ids) == len(tree.positions) == len(beginnings)

    found: list[list[int]] = []
    seen: list[Tensor] = []
    for nodes, group_lengths in tree.groups:
        assert len(nodes) == len(group_lengths)
        assert nodes.shape[1] == group_lengths.max()
        assert (nodes.shape[1] - group_lengths).max() < 4
        seen.append((torch.arange(nodes.shape[1]) < group_lengths[:, None]).flatten())
        for row, n in zip(nodes, group_lengths.tolist()):
            assert tree.positions[row[:n]].tolist() == list(range(n))
            assert (row[n:] == row[n - 1]).all()
            found.append(tree.ids[row[:n]].tolist())
    assert [found[i] for i in tree.order.tolist()] == texts
    # The source of a node is no padding.
    every = torch.cat([group.flatten() for group, _ in tree.groups])
    assert torch.equal(every[tree.source], torch.arange(len(tree.ids)))
    assert torch.cat(seen)[tree.source].all()
