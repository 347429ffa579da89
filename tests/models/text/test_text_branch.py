"""The text branch: encoders tuned, frozen and with learned context; losses and log."""

from __future__ import annotations

import copy
import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from torch import Tensor

from gap_mmaction.models import PromptLearner, TextBranch
from gap_mmaction.models.text.cached_encoder import save_features
from gap_mmaction.models.text.text_encoder import select_tokens
from tests.models.text_common import LABELS, tiny_encoder, write_descriptions

TUNED = dict(type="EmbeddingTextEncoder")
FROZEN = dict(type="EmbeddingTextEncoder", frozen=True)
NEAR: dict[str, Any] = dict(rtol=1e-4, atol=1e-5)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_descriptions(tmp_path)


def _build(file: str, encoder: dict | None = None, **options: Any) -> TextBranch:
    torch.manual_seed(0)
    prompts = dict(descriptions=file, seed=1, **options.pop("prompts", {}))
    config: dict = dict(type="TextBranch", prompts=prompts, encoder=encoder)
    config |= dict(in_channels=6, layout="nw-ucla", num_classes=3)
    return MODELS.build({**config, **options})


def _batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(7, 1, 6, 4, 20), torch.arange(7) % 3


def _loss(branch: TextBranch) -> dict[str, Tensor]:
    """Returns the losses of the first draw."""
    branch.prompts.step = 0
    return branch(*_batch())


@pytest.mark.parametrize("kind", ["embedding", "open_clip", "bert"])
def test_like_naive_encoding(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = kind == "embedding"
    config = TUNED if own else tiny_encoder(kind, tmp_path, monkeypatch)
    # The longest texts are those of a class that is not in the batch.
    file = write_descriptions(tmp_path, (*LABELS, "stand up now and once again"))
    branch = _build(file, config, num_classes=4).double()
    parameters = list(branch.parameters())
    branch.init_weights()
    x, labels = _batch()
    loss = branch(x.double(), labels)["loss_con"]
    result = torch.autograd.grad(loss, parameters)

    branch.prompts.step = 0
    ids = branch.prompts.sample(labels)
    # Each text of each sample by itself, padded to the longest of the bank.
    every = [branch.prompts.texts[i] for i in ids.flatten().tolist()]
    encoder = branch.encoder
    assert encoder is not None
    tokens = encoder.tokenize([*every, *branch.prompts.texts])
    text = encoder({name: value[: len(every)] for name, value in tokens.items()})
    naive = branch.loss_con(branch.head(x.double()), text.view(7, 5, -1), labels)
    torch.testing.assert_close(loss, naive, **NEAR)
    torch.testing.assert_close(result, torch.autograd.grad(naive, parameters), **NEAR)


def test_frozen_encoder_is_let_go(file: str) -> None:
    branch = _build(file, FROZEN)
    with pytest.raises(RuntimeError, match=r"call init_weights\(\) on the model"):
        branch(*_batch())
    encoder = weakref.ref(branch._frozen_encoder[0])
    expected = {f"head.{name}" for name in branch.head.state_dict()}
    assert encoder() is not None
    branch.init_weights()
    gc.collect()
    assert encoder() is None
    features = branch.features.clone()
    assert features.shape == (len(branch.prompts.texts), 8) and features.any()
    branch.init_weights()  # MMEngine warns and does it again
    assert torch.equal(branch.features, features)
    assert {name for name, _ in branch.named_parameters()} == expected
    assert set(branch.state_dict()) == expected | {"prompts._extra_state"}


def test_features_file(file: str, tmp_path: Path) -> None:
    branch, tuned = _build(file, FROZEN), _build(file, TUNED)
    branch.init_weights()
    tuned.init_weights()
    torch.testing.assert_close(_loss(branch)["con_hip"], _loss(tuned)["con_hip"])
    path = str(tmp_path / "features.safetensors")
    save_features(path, branch.prompts.texts, branch.features, "letters")
    # The encoder of the parent config is not even built.
    other = _build(file, dict(type="Missing"), features=path)
    other.load_state_dict(branch.state_dict())
    other.init_weights()
    torch.testing.assert_close(_loss(other), _loss(branch))
    save_features(path, ["something"], torch.zeros(1, 4), "x")
    with pytest.raises(ValueError, match=r"features\.safetensors was made from o"):
        _build(file, features=path).init_weights()


def test_losses(file: str) -> None:
    """The slot pools its own joints; the logs have no gradient."""
    slots = [dict(name="feet", joints="foot", text="label")]
    loss = dict(learnable=True, learnable_weight=True, loss_weight=0.5)
    branch = _build(file, TUNED, prompts=dict(slots=slots), loss=loss)
    x, labels = _batch()
    losses = branch(x.requires_grad_(), labels)
    assert list(losses) == ["loss_con", "loss_lambda", "con_feet"]
    assert not losses["con_feet"].requires_grad
    torch.testing.assert_close(losses["loss_con"].detach(), 0.5 * losses["con_feet"])
    (losses["loss_con"] + losses["loss_lambda"]).backward()
    assert x.grad is not None
    joints = x.grad.abs().sum((0, 1, 2, 3)).nonzero().flatten().tolist()
    assert joints == [14, 15, 18, 19]
    assert all(p.grad is not None for p in branch.loss_con.parameters())


TAIL = [dict(name="tail", joints="tail", text="label")]
LEARNER = dict(type="PromptLearner", encoder=TUNED, num_context=2, num_texts=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(num_classes=4), r"describes 3 classes, .*num_classes=4"),
        (dict(prompts=dict(slots=TAIL)), "'nw-ucla' has no part 'tail'"),
        (dict(encoder=LEARNER, features="f"), r"text_branch\.features=None"),
        (dict(encoder=None), r"set `encoder`, .* or `features`"),
        # Before training, as texts may not suit the encoder.
        (dict(encoder=LEARNER, prompts=dict(preset="label")), "is 4.* have 3 texts"),
    ],
)
def test_errors(file: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _build(file, **{"encoder": FROZEN, **options}).init_weights()


class TestPromptLearner:
    @pytest.fixture(params=["open_clip", "bert", "clip"])
    def encoder(self, request: Any, tmp_path: Path, monkeypatch: Any) -> dict[str, Any]:
        return tiny_encoder(request.param, tmp_path, monkeypatch)

    def test_like_the_words_it_stands_for(self, encoder: dict[str, Any]) -> None:
        learner = PromptLearner(encoder, num_context=3).eval()
        learner.init_weights()
        # Words of one token each.
        ids = learner.encoder.tokenize(["the hip does"])["ids"][0, 1:4]
        with torch.no_grad():
            learner.context.copy_(learner.token_embedding.weight[ids])
        expected = learner.encoder.encode([f"the hip does {label}" for label in LABELS])
        torch.testing.assert_close(learner.encode(LABELS), expected, **NEAR)
        # And in any choice of rows, cut to the longest of them.
        tokens = select_tokens(learner.tokenize(LABELS), torch.tensor([2, 0]))
        torch.testing.assert_close(learner(tokens), expected[[2, 0]], **NEAR)

    def test_vectors_of_each_text(self, encoder: dict[str, Any]) -> None:
        learner = PromptLearner(encoder, num_context=2, num_texts=3).eval()
        shared = copy.deepcopy(learner)
        features = learner.encode(LABELS)
        for row in range(3):
            shared.context = torch.nn.Parameter(learner.context[row].detach())
            torch.testing.assert_close(features[row], shared.encode(LABELS)[row])
        learner(learner.tokenize(LABELS))[1].sum().backward()
        grad = learner.context.grad
        assert grad is not None
        assert grad.abs().sum((1, 2)).gt(0).tolist() == [False, True, False]

    @pytest.mark.parametrize("frozen", [True, False])
    def test_training(self, encoder: dict[str, Any], frozen: bool, file: str) -> None:
        inner = dict(encoder, frozen=frozen)
        outer = dict(type="PromptLearner", num_context=4, encoder=inner)
        branch = _build(file, outer, prompts=dict(preset="label"))
        branch.init_weights()
        branch.train()
        _loss(branch)["loss_con"].backward()
        learner = branch.encoder
        assert isinstance(learner, PromptLearner)
        assert learner.encoder.training is not frozen
        assert learner.context.grad is not None and learner.context.grad.any()
        trained = any(p.requires_grad for p in learner.encoder.parameters())
        assert trained is not frozen
        # Nothing is without a gradient, which DDP would take for an error.
        assert all(p.grad is not None for p in branch.parameters() if p.requires_grad)

    def test_errors(self) -> None:
        # The inner one has room for 30 tokens.
        for options, texts, message in (
            (dict(num_context=28), "a", "num_context is 28; .* room for 1 to 27"),
            (dict(num_texts=0), "a", "num_texts is 0"),
            (dict(num_texts=3), "ab", "num_texts is 3, but the prompts have 2"),
            ({}, ["a", "a long label"], "'a long label' has 12 tokens.*room for 10"),
        ):
            with pytest.raises(ValueError, match=message):
                PromptLearner(TUNED, **{"num_context": 20, **options}).tokenize(texts)
        with pytest.raises(TypeError, match="RandomTextEncoder has no tokens"):
            PromptLearner(dict(type="RandomTextEncoder", embed_dims=4))
