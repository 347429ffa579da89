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
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import Tensor

from gap_mmaction.models import TextBranch
from gap_mmaction.models.text import text_branch as module
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
    arguments = dict(in_channels=6, layout="nw-ucla", num_classes=3)
    return MODELS.build(
        {
            "type": "TextBranch",
            "prompts": prompts,
            "encoder": encoder,
            **arguments,
            **options,
        }
    )


def _batch(batch: int = 7) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(batch, 1, 6, 4, 20), torch.arange(batch) % 3


def _start_again(branch: TextBranch) -> None:
    """Let the next draw be the first one once more."""
    branch.prompts.step = 0


def _encoder_config(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """A tuned encoder of each kind, small."""
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
        x, labels = _batch()
        rows: list[torch.Size] = []

        def note(_: Any, inputs: tuple[Tokens]) -> None:
            rows.append(inputs[0]["ids"].shape)

        branch.encoder.register_forward_pre_hook(note)
        encoded: list[int] = []
        encode_tokens = branch.encoder.encode_tokens

        def count(tokens: Tokens, ids: Tensor) -> Tensor:
            encoded.append(len(ids))
            return encode_tokens(tokens, ids)

        monkeypatch.setattr(branch.encoder, "encode_tokens", count)
        result = self._gradients(branch, branch(x.double(), labels)["loss_con"])

        _start_again(branch)
        ids = branch.prompts.sample(labels)
        # Each text of each sample by itself, padded to the longest of the bank.
        every = [branch.prompts.texts[i] for i in ids.flatten().tolist()]
        tokens = branch.encoder.tokenize([*every, *branch.prompts.texts])
        tokens = {name: value[: len(every)] for name, value in tokens.items()}
        text = branch.encoder(tokens).view(7, 5, -1)
        skeleton = branch.head(x.double())
        naive = self._gradients(branch, branch.loss_con(skeleton, text, labels))

        distinct = len(set(every))
        assert encoded == [distinct] and distinct < len(every)
        *buckets, whole = rows
        assert whole[0] == len(every)
        if kind == "open_clip":
            assert not buckets  # these share what they have in common
        else:
            assert sum(shape[0] for shape in buckets) == distinct
        assert all(shape[1] < whole[1] for shape in buckets)
        torch.testing.assert_close(result[0], naive[0], rtol=1e-6, atol=1e-7)
        assert result[1].keys() == naive[1].keys()
        for name, grad in naive[1].items():
            torch.testing.assert_close(
                result[1][name],
                grad,
                rtol=1e-4,
                atol=1e-6,
                msg=name,
            )

    @staticmethod
    def _gradients(
        branch: TextBranch, loss: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        branch.zero_grad()
        loss.backward()
        grads = {}
        for name, parameter in branch.named_parameters():
            assert parameter.grad is not None, name
            grads[name] = parameter.grad.clone()
        return loss.detach(), grads

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
        names = [name for name, _ in branch.named_parameters()]
        assert "encoder.table.weight" in names
        before = list(branch.parameters())
        branch.init_weights()
        assert all(p is q for p, q in zip(branch.parameters(), before))
        assert isinstance(branch.encoder, EmbeddingTextEncoder)
        assert branch.encoder.initialized

    def test_learning_rate_of_its_own(self, file: str) -> None:
        model = torch.nn.Module()
        model.text_branch = _build(file, TUNED)
        wrapper = Config(dict(optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.2))))
        wrapper.merge_from_dict(
            {"optim_wrapper.paramwise_cfg.custom_keys.encoder.lr_mult": 0.1}
        )
        groups = build_optim_wrapper(model, wrapper.optim_wrapper).param_groups
        rates = {id(group["params"][0]): group["lr"] for group in groups}
        for name, parameter in model.named_parameters():
            expected = 0.02 if name.startswith("text_branch.encoder.") else 0.2
            assert rates[id(parameter)] == pytest.approx(expected), name


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
        expected = {"prompts._extra_state"} | {
            f"head.projections.{k}.{kind}"
            for k in range(5)
            for kind in ("weight", "bias")
        }
        assert set(branch.state_dict()) == expected
        branch.init_weights()
        assert set(branch.state_dict()) == expected
        names = {name for name, _ in branch.named_parameters()}
        assert names == expected - {"prompts._extra_state"}

    def test_like_tuned(self, file: str) -> None:
        losses = []
        for config in (FROZEN, TUNED):
            branch = _build(file, config)
            branch.init_weights()
            losses.append(branch(*_batch()))
        for name, value in losses[0].items():
            torch.testing.assert_close(value, losses[1][name])

    def test_features_file(self, file: str, tmp_path: Path) -> None:
        branch = _build(file, FROZEN)
        branch.init_weights()
        path = tmp_path / "features.safetensors"
        save_features(path, branch.prompts.texts, branch.features, "letters")
        cached = [
            _build(file, features=str(path)),
            # The encoder of the parent config is not even built.
            _build(file, dict(type="Missing"), features=str(path)),
            _build(file, dict(type="CachedTextEncoder", features=str(path))),
        ]
        expected = branch(*_batch())["loss_con"]
        for other in cached:
            other.load_state_dict(_build(file, FROZEN).state_dict())
            other.init_weights()
            torch.testing.assert_close(other(*_batch())["loss_con"], expected)

    def test_features_of_other_texts(self, file: str, tmp_path: Path) -> None:
        path = tmp_path / "features.safetensors"
        save_features(path, ["something"], torch.zeros(1, 4), "x")
        branch = _build(file, features=str(path))
        with pytest.raises(
            ValueError, match=r"features\.safetensors was made from oth"
        ):
            branch.init_weights()

    def test_before_init_weights(self, file: str) -> None:
        branch = _build(file, FROZEN)
        with pytest.raises(RuntimeError, match=r"call init_weights\(\) on the model"):
            branch(*_batch())

    def test_moves_with_the_model(self, file: str) -> None:
        branch = _build(file, FROZEN)
        branch.init_weights()
        assert branch.double().features.dtype == torch.float64
        branch.to("meta")
        assert branch.features.device.type == "meta"


class TestLosses:
    """What goes into the loss dict."""

    def test_names_and_values(self, file: str) -> None:
        branch = _build(file, TUNED, loss=dict(loss_weight=0.5))
        losses = branch(*_batch())
        assert list(losses) == ["loss_con", *(f"con_{slot}" for slot in SLOTS)]
        assert losses["loss_con"].requires_grad
        logs = [losses[f"con_{slot}"] for slot in SLOTS]
        assert not any(value.requires_grad for value in logs)
        torch.testing.assert_close(
            losses["loss_con"].detach(), 0.5 * torch.stack(logs).mean()
        )

    def test_each_slot_pools_its_own_joints(self, file: str) -> None:
        slots = [dict(name="feet", joints="foot", text="label")]
        branch = _build(file, TUNED, prompts=dict(slots=slots))
        x, labels = _batch()
        x.requires_grad_()
        losses = branch(x, labels)
        assert list(losses) == ["loss_con", "con_feet"]
        losses["loss_con"].backward()
        assert x.grad is not None
        joints = x.grad.abs().sum((0, 1, 2, 3)).nonzero().flatten().tolist()
        assert joints == [14, 15, 18, 19]

    def test_learned_weight(self, file: str) -> None:
        branch = _build(file, TUNED, loss=dict(learnable_weight=True))
        losses = branch(*_batch())
        assert list(losses)[:2] == ["loss_con", "loss_lambda"]
        learned = branch.loss_con.log_variance
        assert learned is not None
        (losses["loss_con"] + losses["loss_lambda"]).backward()
        assert learned.grad is not None

    def test_stream(self, file: str) -> None:
        joint = _build(file, FROZEN, layout="nturgb+d").head.pooling
        bone = _build(file, FROZEN, layout="nturgb+d", stream="bone").head.pooling
        assert torch.equal(joint[:, 0], bone[:, 0])
        assert not torch.equal(joint[:, 1], bone[:, 1])

    def test_learnable(self, file: str) -> None:
        loss = dict(target="softmax", learnable=True)
        branch = _build(file, FROZEN, loss=loss)
        branch.init_weights()
        assert branch.loss_con.logit_scale.shape == (5,)
        branch(*_batch())["loss_con"].backward()
        grad = branch.loss_con.logit_scale.grad
        assert grad is not None and (grad != 0).all()

    @pytest.mark.parametrize("encoder", [TUNED, FROZEN])
    def test_mixed_precision(self, file: str, encoder: dict) -> None:
        branch = _build(file, encoder)
        branch.init_weights()
        expected = branch(*_batch())["loss_con"]
        _start_again(branch)
        with torch.autocast("cpu", torch.bfloat16):
            actual = branch(*_batch())["loss_con"]
        assert actual.dtype == torch.float32
        torch.testing.assert_close(actual, expected, rtol=0.05, atol=0.05)
        actual.backward()

    def test_all_ranks_are_gathered(
        self, file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shapes = []

        def gather(x: Tensor) -> Tensor:
            shapes.append(tuple(x.shape))
            return torch.cat((x, x))

        monkeypatch.setattr(module, "gather_from_ranks", gather)
        _build(file, TUNED)(*_batch())
        assert shapes == [(7, 5, 8), (7, 5, 8), (7,)]


class TestErrors:
    """What a user may get wrong."""

    def test_number_of_classes(self, file: str) -> None:
        with pytest.raises(ValueError, match=r"describes 3 classes, .*num_classes=4"):
            _build(file, FROZEN, num_classes=4)

    def test_joint_group(self, file: str) -> None:
        slots = [dict(name="tail", joints="tail", text="label")]
        with pytest.raises(ValueError, match="'nw-ucla' has no part 'tail'"):
            _build(file, FROZEN, prompts=dict(slots=slots))

    def test_layout(self, file: str) -> None:
        with pytest.raises(ValueError, match="'kinect' is unknown"):
            _build(file, FROZEN, layout="kinect")

    def test_features_and_a_learner(self, file: str) -> None:
        encoder = dict(type="PromptLearner", encoder=TUNED)
        with pytest.raises(ValueError, match=r"text_branch\.features=None"):
            _build(file, encoder, features="some.safetensors")

    def test_texts_are_checked_before_training(self, file: str) -> None:
        encoder = dict(type="PromptLearner", encoder=TUNED, num_context=2, num_texts=4)
        branch = _build(file, encoder, prompts=dict(preset="label"))
        with pytest.raises(ValueError, match=r"num_texts is 4.* have 3 texts"):
            branch.init_weights()

    def test_no_encoder(self, file: str) -> None:
        with pytest.raises(ValueError, match=r"set `encoder`, .* or `features`"):
            _build(file)
