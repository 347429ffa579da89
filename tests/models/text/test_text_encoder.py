"""What reaches a transformer, and vectors in place of one."""

from __future__ import annotations

import pytest
import torch
from mmaction.registry import MODELS

from gap_mmaction.models.text.text_encoder import Tokens, build_frozen_encoder
from tests.models.text_common import EmbeddingTextEncoder

LENGTHS = [9, 3, 17, 8, 40, 16, 3, 33]
TEXTS = [chr(97 + i) * length for i, length in enumerate(LENGTHS)]


@pytest.fixture
def encoder() -> EmbeddingTextEncoder:
    encoder = EmbeddingTextEncoder()
    encoder.init_weights()
    return encoder


@pytest.fixture
def tokens(encoder: EmbeddingTextEncoder) -> Tokens:
    return encoder.tokenize(TEXTS)


def _shapes(encoder: EmbeddingTextEncoder) -> list[tuple[int, ...]]:
    return [tuple(batch["ids"].shape) for batch in encoder.batches]


def test_texts_of_like_length_go_together(
    encoder: EmbeddingTextEncoder, tokens: Tokens
) -> None:
    encoder.encode_tokens(tokens, torch.tensor([7, 1, 0, 3, 4, 5]))
    # 3 and 8, 9 and 16, 33 and 40 tokens, each padded to the longer one.
    assert _shapes(encoder) == [(2, 8), (2, 16), (2, 40)]


@pytest.mark.parametrize("rows", [[7, 1, 0, 3, 4, 2, 1], [2]])
def test_features_and_gradients_are_those_of_one_pass(
    encoder: EmbeddingTextEncoder, tokens: Tokens, rows: list[int]
) -> None:
    parts = encoder.encode_tokens(tokens, torch.tensor(rows))
    whole = encoder(tokens)[rows]
    torch.testing.assert_close(parts, whole)
    weight = torch.randn_like(whole)
    grads = [
        torch.autograd.grad((features * weight).sum(), encoder.table.weight)[0]
        for features in (parts, whole)
    ]
    torch.testing.assert_close(*grads)


def test_encode_in_batches(
    encoder: EmbeddingTextEncoder, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddingTextEncoder, "batch_size", 3)
    features = encoder.encode(TEXTS)
    assert not features.requires_grad
    assert max(rows for rows, _ in _shapes(encoder)) <= 3
    torch.testing.assert_close(features, encoder(tokens).detach())


def test_random_direction_of_a_text() -> None:
    config = {"type": "RandomTextEncoder", "embed_dims": 64, "seed": 3}
    encoder = build_frozen_encoder(config)
    features = encoder.encode(["throw", "sit down"])
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2))
    assert abs(float(features[0] @ features[1])) < 0.5
    # Other texts play no part, the seed does.
    assert torch.equal(encoder.encode(["run", "throw"])[1], features[0])
    other = MODELS.build({**config, "seed": 4})
    assert not torch.allclose(other.encode(["throw"])[0], features[0])
    assert encoder.frozen and not list(encoder.parameters())
