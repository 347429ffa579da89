"""Learned context before the labels."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from gap_mmaction.models import PromptLearner, TextBranch
from gap_mmaction.models.text.text_encoder import select_tokens
from tests.models.text_common import LABELS, tiny_encoder, write_descriptions


@pytest.fixture(params=["open_clip", "bert", "clip"])
def encoder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The config of a small encoder of each kind."""
    return tiny_encoder(request.param, tmp_path, monkeypatch)


def _learner(encoder: dict[str, Any], **options: Any) -> PromptLearner:
    torch.manual_seed(0)
    learner = PromptLearner(encoder, **options).eval()
    learner.init_weights()
    return learner


def test_like_the_words_it_stands_for(encoder: dict[str, Any]) -> None:
    learner = _learner(encoder, num_context=3)
    # Words of one token each.
    ids = learner.encoder.tokenize(["the hip does"])["ids"][0, 1:4]
    with torch.no_grad():
        learner.context.copy_(learner.token_embedding.weight[ids])
    expected = learner.encoder.encode([f"the hip does {label}" for label in LABELS])
    torch.testing.assert_close(learner.encode(LABELS), expected, rtol=1e-4, atol=1e-5)
    # And in any choice of rows, cut to the longest of them.
    tokens = select_tokens(learner.tokenize(LABELS), torch.tensor([2, 0]))
    torch.testing.assert_close(learner(tokens), expected[[2, 0]], rtol=1e-4, atol=1e-5)


def test_vectors_of_each_text(encoder: dict[str, Any]) -> None:
    learner = _learner(encoder, num_context=2, num_texts=3)
    shared = copy.deepcopy(learner)
    features = learner.encode(LABELS)
    for row in range(3):
        shared.context = torch.nn.Parameter(learner.context[row].detach())
        torch.testing.assert_close(features[row], shared.encode(LABELS)[row])
    learner(learner.tokenize(LABELS))[1].sum().backward()
    assert learner.context.grad is not None
    assert learner.context.grad.abs().sum((1, 2)).gt(0).tolist() == [False, True, False]


@pytest.mark.parametrize("frozen", [True, False])
def test_what_is_trained(encoder: dict[str, Any], frozen: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    inner = dict(encoder, frozen=frozen)
    prompts = dict(descriptions=write_descriptions(tmp_path), preset="label", seed=0)
    outer = dict(type="PromptLearner", num_context=4, encoder=inner)
    branch = TextBranch(prompts, 6, "nw-ucla", outer)
    branch.init_weights()
    branch.train()
    losses = branch(torch.randn(4, 1, 6, 4, 20), torch.tensor([0, 1, 2, 2]))
    losses["loss_con"].backward()
    learner = branch.encoder
    assert isinstance(learner, PromptLearner)
    assert learner.encoder.training is not frozen
    assert learner.context.grad is not None and learner.context.grad.abs().sum() > 0
    trained = [p for p in learner.encoder.parameters() if p.requires_grad]
    assert bool(trained) is not frozen
    # Nothing is without a gradient, which DDP would take for an error.
    assert all(p.grad is not None for p in branch.parameters() if p.requires_grad)
    assert "encoder.context" in branch.state_dict()


@pytest.mark.parametrize(
    ("options", "texts", "message"),
    [
        (dict(num_context=28), ["a"], "num_context is 28; .* room for 1 to 27"),
        (dict(num_texts=0), ["a"], "num_texts is 0"),
        (dict(num_texts=3), ["a", "b"], "num_texts is 3, but the prompts have 2"),
        ({}, ["a", "a long label"], "'a long label' has 12 tokens.*room for 10"),
    ],
)
def test_errors(options: dict[str, int], texts: list[str], message: str) -> None:
    small = dict(type="EmbeddingTextEncoder")  # has room for 30 tokens
    with pytest.raises(ValueError, match=message):
        PromptLearner(small, **{"num_context": 20, **options}).tokenize(texts)
    with pytest.raises(TypeError, match="RandomTextEncoder has no tokens"):
        PromptLearner(dict(type="RandomTextEncoder", embed_dims=4))
