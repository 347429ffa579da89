"""TransformerTextEncoder: what reaches the transformer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from gap_mmaction.models.text.text_encoder import Tokens, TransformerTextEncoder


class _WordCounter(TransformerTextEncoder):
    """Sums the embeddings of a text's words; notes the shapes it is given."""

    context_length = 50

    def __init__(self) -> None:
        super().__init__(embed_dims=3, frozen=False)
        self.embedding = nn.Embedding(60, 3)
        self.shapes: list[tuple[int, int]] = []

    @property
    def token_embedding(self) -> nn.Embedding:
        return self.embedding

    def init_weights(self) -> None:
        pass

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        lengths = torch.tensor([len(text.split()) for text in texts])
        mask = (torch.arange(50) < lengths[:, None]).long()
        ids = torch.arange(50) + lengths[:, None] % 10
        return {"ids": ids * mask, "mask": mask}

    def forward(self, tokens: Tokens) -> Tensor:
        self.shapes.append(tuple(tokens["ids"].shape))  # type: ignore[arg-type]
        return (self.embedding(tokens["ids"]) * tokens["mask"][..., None]).sum(1)


LENGTHS = [9, 3, 17, 8, 40, 16, 3, 33]


@pytest.fixture
def encoder() -> _WordCounter:
    torch.manual_seed(0)
    return _WordCounter()


@pytest.fixture
def tokens(encoder: _WordCounter) -> Tokens:
    return encoder.tokenize(["word " * length for length in LENGTHS])


def test_texts_of_like_length_go_together(
    encoder: _WordCounter, tokens: Tokens
) -> None:
    encoder.encode_tokens(tokens, torch.tensor([7, 1, 0, 3, 4, 5]))
    # 3 and 8, 9 and 16, 33 and 40 tokens, each padded to the longer one.
    assert encoder.shapes == [(2, 8), (2, 16), (2, 40)]


def test_features_and_gradients_are_those_of_one_pass(
    encoder: _WordCounter, tokens: Tokens
) -> None:
    rows = torch.tensor([7, 1, 0, 3, 4, 2, 1])
    parts = encoder.encode_tokens(tokens, rows)
    whole = encoder(tokens)[rows]
    assert torch.equal(parts, whole)
    weight = torch.randn_like(whole)
    grads = [
        torch.autograd.grad((features * weight).sum(), encoder.embedding.weight)[0]
        for features in (parts, whole)
    ]
    torch.testing.assert_close(*grads)


def test_one_text(encoder: _WordCounter, tokens: Tokens) -> None:
    features = encoder.encode_tokens(tokens, torch.tensor([2]))
    assert torch.equal(features, encoder(tokens)[2:3])
    assert encoder.shapes[0] == (1, 17)


def test_encode_in_batches(
    encoder: _WordCounter, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_WordCounter, "batch_size", 3)
    features = encoder.encode(["word " * length for length in LENGTHS])
    assert not features.requires_grad
    assert max(rows for rows, _ in encoder.shapes) <= 3
    torch.testing.assert_close(features, encoder(tokens).detach())
