"""The text branch: encoders tuned and frozen, losses and log."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from torch import Tensor

from gap_mmaction.models import TextBranch
from gap_mmaction.models.text.cached_encoder import save_features
from tests.models.text_common import LABELS, tiny_encoder, write_descriptions

SLOTS = ["global", "head", "hand", "hip", "foot"]
TUNED = dict(type="EmbeddingTextEncoder")
FROZEN = dict(type="EmbeddingTextEncoder", frozen=True)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_descriptions(tmp_path)


def _build(file: str, encoder: dict | None = None, **options: Any) -> TextBranch:
    torch.manual_seed(0)
    prompts = dict(descriptions=file, seed=1, **options.pop("prompts", {}))
    config: dict = dict(type="TextBranch", prompts=prompts, encoder=encoder)
    config |= dict(in_channels=6, layout="nw-ucla", num_classes=3)
    return MODELS.build({**config, **options})


def _batch(batch: int = 7) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(batch, 1, 6, 4, 20), torch.arange(batch) % 3


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
    torch.testing.assert_close(loss, naive, rtol=1e-4, atol=1e-6)
    expected = torch.autograd.grad(naive, parameters)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-6)


def test_is_let_go(file: str) -> None:
    branch = _build(file, FROZEN)
    with pytest.raises(RuntimeError, match=r"call init_weights\(\) on the model"):
        branch(*_batch())
    encoder = weakref.ref(branch._frozen_encoder[0])
    assert encoder() is not None
    branch.init_weights()
    gc.collect()
    assert encoder() is None
    features = branch.features.clone()
    assert features.shape == (len(branch.prompts.texts), 8)
    assert features.any() and not features.requires_grad
    branch.init_weights()  # MMEngine warns and does it again
    assert torch.equal(branch.features, features)


def test_nothing_of_the_text_in_the_state(file: str) -> None:
    branch = _build(file, FROZEN)
    kinds = ("weight", "bias")
    expected = {f"head.projections.{k}.{kind}" for k in range(5) for kind in kinds}
    for _ in range(2):
        assert set(branch.state_dict()) == expected | {"prompts._extra_state"}
        branch.init_weights()
    assert {name for name, _ in branch.named_parameters()} == expected
    assert branch.double().features.dtype == torch.float64


def test_features_file(file: str, tmp_path: Path) -> None:
    branch, tuned = _build(file, FROZEN), _build(file, TUNED)
    branch.init_weights()
    tuned.init_weights()
    torch.testing.assert_close(_loss(branch)["con_hip"], _loss(tuned)["con_hip"])
    path = str(tmp_path / "features.safetensors")
    save_features(path, branch.prompts.texts, branch.features, "letters")
    cached = [
        _build(file, features=path),
        # The encoder of the parent config is not even built.
        _build(file, dict(type="Missing"), features=path),
        _build(file, dict(type="CachedTextEncoder", features=path)),
    ]
    for other in cached:
        other.load_state_dict(branch.state_dict())
        other.init_weights()
        torch.testing.assert_close(_loss(other), _loss(branch))
    save_features(path, ["something"], torch.zeros(1, 4), "x")
    with pytest.raises(ValueError, match=r"features\.safetensors was made from o"):
        _build(file, features=path).init_weights()


def test_names_and_values(file: str) -> None:
    losses = _loss(_build(file, TUNED, loss=dict(loss_weight=0.5)))
    assert list(losses) == ["loss_con", *(f"con_{slot}" for slot in SLOTS)]
    assert losses["loss_con"].requires_grad
    logs = torch.stack([losses[f"con_{slot}"] for slot in SLOTS])
    assert not logs.requires_grad
    torch.testing.assert_close(losses["loss_con"].detach(), 0.5 * logs.mean())


def test_each_slot_pools_its_own_joints(file: str) -> None:
    slots = [dict(name="feet", joints="foot", text="label")]
    branch = _build(file, TUNED, prompts=dict(slots=slots))
    x, labels = _batch()
    losses = branch(x.requires_grad_(), labels)
    assert list(losses) == ["loss_con", "con_feet"]
    losses["loss_con"].backward()
    assert x.grad is not None
    joints = x.grad.abs().sum((0, 1, 2, 3)).nonzero().flatten().tolist()
    assert joints == [14, 15, 18, 19]


def test_what_is_learned(file: str) -> None:
    loss = dict(target="softmax", learnable=True, learnable_weight=True)
    branch = _build(file, TUNED, loss=loss)
    losses = _loss(branch)
    assert list(losses)[:2] == ["loss_con", "loss_lambda"]
    (losses["loss_con"] + losses["loss_lambda"]).backward()
    assert branch.loss_con.log_variance is not None
    assert branch.loss_con.log_variance.grad is not None
    grad = branch.loss_con.logit_scale.grad
    assert grad is not None and grad.shape == (5,) and (grad != 0).all()


TAIL = [dict(name="tail", joints="tail", text="label")]
LEARNER = dict(type="PromptLearner", encoder=TUNED, num_context=2, num_texts=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(num_classes=4), r"describes 3 classes, .*num_classes=4"),
        (dict(prompts=dict(slots=TAIL)), "'nw-ucla' has no part 'tail'"),
        (dict(layout="kinect"), "'kinect' is unknown"),
        (dict(encoder=LEARNER, features="f"), r"text_branch\.features=None"),
        (dict(encoder=None), r"set `encoder`, .* or `features`"),
        # Before training, as texts may not suit the encoder.
        (dict(encoder=LEARNER, prompts=dict(preset="label")), "is 4.* have 3 texts"),
    ],
)
def test_errors(file: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _build(file, **{"encoder": FROZEN, **options}).init_weights()
