"""The text branch: encoders tuned and frozen, losses and log."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from torch import Tensor

from gap_mmaction.models import TextBranch
from gap_mmaction.models.text.cached_encoder import save_features
from gap_mmaction.models.text.text_encoder import Tokens, TransformerTextEncoder
from tests.models.text_common import (
    LABELS,
    TINY_CLIP,
    EmbeddingTextEncoder,
    save_tiny_hf,
    write_descriptions,
)

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


def _encoder_config(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    if kind == "open_clip":
        open_clip = pytest.importorskip("open_clip")
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", TINY_CLIP)
        return dict(type="OpenCLIPTextEncoder", model="tiny", pretrained=None)
    if kind == "transformers":
        pytest.importorskip("transformers")
        model = save_tiny_hf(folder / "bert", "bert")
        return dict(type="HFTextEncoder", model=model, pooling="mean")
    return TUNED


class TestTuned:
    """An encoder that is trained."""

    @pytest.mark.parametrize("kind", ["embedding", "open_clip", "transformers"])
    def test_like_naive_encoding(
        self, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = _encoder_config(kind, tmp_path, monkeypatch)
        # The longest texts are those of a class that is not in the batch.
        file = write_descriptions(tmp_path, (*LABELS, "stand up now and once again"))
        branch = _build(file, config, num_classes=4).double()
        branch.init_weights()
        encoder = branch.encoder
        assert encoder is not None
        x, labels = _batch()
        shapes: list[torch.Size] = []
        encoder.register_forward_pre_hook(
            lambda _, inputs: shapes.append(inputs[0]["ids"].shape)
        )
        encoded: list[int] = []
        encode_tokens = encoder.encode_tokens

        def count(tokens: Tokens, ids: Tensor) -> Tensor:
            encoded.append(len(ids))
            return encode_tokens(tokens, ids)

        monkeypatch.setattr(encoder, "encode_tokens", count)
        result = self._gradients(branch, branch(x.double(), labels)["loss_con"])

        branch.prompts.step = 0
        ids = branch.prompts.sample(labels)
        # Each text of each sample by itself, padded to the longest of the bank.
        every = [branch.prompts.texts[i] for i in ids.flatten().tolist()]
        tokens = encoder.tokenize([*every, *branch.prompts.texts])
        text = encoder({name: value[: len(every)] for name, value in tokens.items()})
        loss = branch.loss_con(branch.head(x.double()), text.view(7, 5, -1), labels)
        naive = self._gradients(branch, loss)

        distinct = len(set(every))
        assert encoded == [distinct] and distinct < len(every)
        *buckets, whole = shapes
        assert whole[0] == len(every)
        # Those of open_clip share what they have in common.
        rows = sum(shape[0] for shape in buckets)
        assert rows == (0 if kind == "open_clip" else distinct)
        assert all(shape[1] < whole[1] for shape in buckets)
        torch.testing.assert_close(result, naive, rtol=1e-4, atol=1e-6)

    @staticmethod
    def _gradients(branch: TextBranch, loss: Tensor) -> dict[str, Tensor]:
        branch.zero_grad()
        loss.backward()
        grads = {"loss": loss.detach()}
        for name, parameter in branch.named_parameters():
            assert parameter.grad is not None, name
            grads[name] = parameter.grad.clone()
        return grads

    def test_texts_are_tokenized_once(
        self, file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        branch = _build(file, TUNED)
        calls = []
        tokenize = EmbeddingTextEncoder.tokenize

        def spy(self: EmbeddingTextEncoder, texts: Sequence[str]) -> Tokens:
            calls.append(texts)
            return tokenize(self, texts)

        monkeypatch.setattr(EmbeddingTextEncoder, "tokenize", spy)
        for _ in range(3):
            branch(*_batch())
        assert calls[0] == branch.prompts.texts
        assert len(calls) == 2  # the longest without their last word, too

    def test_parameters_are_there_for_the_optimizer(self, file: str) -> None:
        branch = _build(file, TUNED)
        before = dict(branch.named_parameters())
        assert "encoder.table.weight" in before
        branch.init_weights()
        assert all(p is before[name] for name, p in branch.named_parameters())


class TestFrozen:
    """An encoder that stays as it is."""

    def test_is_let_go(self, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []
        encode = TransformerTextEncoder.encode

        def spy(self: EmbeddingTextEncoder, texts: list[str], name: Any) -> Tensor:
            assert self.initialized
            calls.append(tuple(texts))
            assert name(texts[-1]).endswith("(class 'throw', slot 'foot')")
            return encode(self, texts, name)

        monkeypatch.setattr(EmbeddingTextEncoder, "encode", spy)
        branch = _build(file, FROZEN)
        with pytest.raises(RuntimeError, match=r"call init_weights\(\) on the model"):
            branch(*_batch())
        encoder = weakref.ref(branch._frozen_encoder[0])
        assert encoder() is not None
        branch.init_weights()
        gc.collect()
        assert encoder() is None
        assert calls == [branch.prompts.texts]
        assert branch.features.shape == (len(branch.prompts.texts), 8)
        assert not branch.features.requires_grad
        branch.init_weights()  # MMEngine warns and does it again
        assert len(calls) == 1

    def test_nothing_of_the_text_in_the_state(self, file: str) -> None:
        branch = _build(file, FROZEN)
        expected = {
            f"head.projections.{k}.{kind}"
            for k in range(5)
            for kind in ("weight", "bias")
        }
        for _ in range(2):
            assert set(branch.state_dict()) == expected | {"prompts._extra_state"}
            branch.init_weights()
        assert {name for name, _ in branch.named_parameters()} == expected
        assert branch.double().features.dtype == torch.float64

    def test_like_tuned(self, file: str) -> None:
        losses = []
        for config in (FROZEN, TUNED):
            branch = _build(file, config)
            branch.init_weights()
            losses.append({k: v.detach() for k, v in _loss(branch).items()})
        torch.testing.assert_close(*losses)

    def test_features_file(self, file: str, tmp_path: Path) -> None:
        branch = _build(file, FROZEN)
        branch.init_weights()
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


class TestLosses:
    """What goes into the loss dict."""

    def test_names_and_values(self, file: str) -> None:
        losses = _loss(_build(file, TUNED, loss=dict(loss_weight=0.5)))
        assert list(losses) == ["loss_con", *(f"con_{slot}" for slot in SLOTS)]
        assert losses["loss_con"].requires_grad
        logs = [losses[f"con_{slot}"] for slot in SLOTS]
        assert not any(value.requires_grad for value in logs)
        mean = torch.stack(logs).mean()
        torch.testing.assert_close(losses["loss_con"].detach(), 0.5 * mean)

    def test_each_slot_pools_its_own_joints(self, file: str) -> None:
        slots = [dict(name="feet", joints="foot", text="label")]
        branch = _build(file, TUNED, prompts=dict(slots=slots))
        x, labels = _batch()
        losses = branch(x.requires_grad_(), labels)
        assert list(losses) == ["loss_con", "con_feet"]
        losses["loss_con"].backward()
        assert x.grad is not None
        joints = x.grad.abs().sum((0, 1, 2, 3)).nonzero().flatten().tolist()
        assert joints == [14, 15, 18, 19]
        joint = _build(file, FROZEN, layout="nturgb+d").head.pooling
        bone = _build(file, FROZEN, layout="nturgb+d", stream="bone").head.pooling
        assert torch.equal(joint[:, 0], bone[:, 0])
        assert not torch.equal(joint[:, 1], bone[:, 1])

    def test_what_is_learned(self, file: str) -> None:
        loss = dict(target="softmax", learnable=True, learnable_weight=True)
        branch = _build(file, TUNED, loss=loss)
        losses = _loss(branch)
        assert list(losses)[:2] == ["loss_con", "loss_lambda"]
        (losses["loss_con"] + losses["loss_lambda"]).backward()
        assert branch.loss_con.log_variance is not None
        assert branch.loss_con.log_variance.grad is not None
        grad = branch.loss_con.logit_scale.grad
        assert grad is not None and grad.shape == (5,) and (grad != 0).all()

    @pytest.mark.parametrize("encoder", [TUNED, FROZEN])
    def test_mixed_precision(self, file: str, encoder: dict) -> None:
        branch = _build(file, encoder)
        branch.init_weights()
        expected = _loss(branch)["loss_con"]
        with torch.autocast("cpu", torch.bfloat16):
            actual = _loss(branch)["loss_con"]
        assert actual.dtype == torch.float32
        torch.testing.assert_close(actual, expected, rtol=0.05, atol=0.05)
        actual.backward()


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
