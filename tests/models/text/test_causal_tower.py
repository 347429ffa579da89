"""A text tower over common beginnings against the tower itself."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gap_mmaction.models import OpenCLIPTextEncoder
from gap_mmaction.models.text import open_clip_encoder
from gap_mmaction.models.text.causal_tower import encode_prefix_tree, is_plain_causal
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
    return {
        name: parameter.grad.clone()
        for name, parameter in encoder.named_parameters()
        if parameter.grad is not None
    }


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the encodings over common beginnings, so that no test goes around them."""
    counted: list[int] = []

    def count(tower: Any, tree: Any) -> Tensor:
        counted.append(len(tree.ids))
        return encode_prefix_tree(tower, tree)

    monkeypatch.setattr(open_clip_encoder, "encode_prefix_tree", count)
    return counted


@pytest.mark.parametrize("name", NAMES)
def test_features_and_gradients(name: str, calls: list[int]) -> None:
    encoder = _encoder(name)
    tokens = encoder.tokenize(TEXTS)
    rows = torch.tensor([5, 0, 3, 2])
    shared = encoder.encode_tokens(tokens, rows)
    plain = encoder({key: value[rows] for key, value in tokens.items()})
    assert calls and calls[0] < tokens["mask"][rows].sum()
    torch.testing.assert_close(shared, plain, rtol=1e-10, atol=1e-12)
    expected = _gradients(encoder, plain)
    found = _gradients(encoder, encoder.encode_tokens(tokens, rows))
    assert found.keys() == expected.keys()
    for key, value in found.items():
        torch.testing.assert_close(value, expected[key], rtol=1e-8, atol=1e-10)


def test_gradient_checkpointing(calls: list[int]) -> None:
    plain, saving = _encoder(), _encoder(gradient_checkpointing=True)
    tokens, rows = plain.tokenize(TEXTS), torch.arange(len(TEXTS))
    expected = _gradients(plain, plain.encode_tokens(tokens, rows))
    found = _gradients(saving, saving.encode_tokens(tokens, rows))
    assert len(calls) == 2
    for key, value in found.items():
        torch.testing.assert_close(value, expected[key])


def test_autocast(calls: list[int]) -> None:
    encoder = _encoder().float()
    tokens, rows = encoder.tokenize(TEXTS), torch.arange(len(TEXTS))
    full = encoder.encode_tokens(tokens, rows)
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder.encode_tokens(tokens, rows)
    assert len(calls) == 2
    assert (half - full).abs().max() < 0.05 * full.abs().max()
    assert not torch.equal(half.float(), full)


class TestOtherTowers:
    """What was changed computes by its own means."""

    @pytest.mark.parametrize("name", ["", "token_embedding", "transformer.resblocks.0"])
    def test_hook(self, name: str, calls: list[int]) -> None:
        encoder = _encoder()
        tokens, rows = encoder.tokenize(TEXTS), torch.tensor([1, 2])
        before = encoder.encode_tokens(tokens, rows)
        module = encoder.tower.get_submodule(name)
        handle = module.register_forward_hook(lambda module, args, out: 2 * out)
        after = encoder.encode_tokens(tokens, rows)
        handle.remove()
        assert len(calls) == 1
        assert not torch.allclose(before, after)

    def test_other_attention(self) -> None:
        tower = _encoder().tower
        assert is_plain_causal(tower)

        class Adapted(nn.MultiheadAttention):
            pass

        block = tower.transformer.resblocks[-1]
        block.attn = Adapted(block.attn.embed_dim, block.attn.num_heads)
        assert not is_plain_causal(tower)
