"""Text encoders of transformers: tiny random ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from torch import Tensor

from gap_mmaction.models import HFTextEncoder
from gap_mmaction.models.text import text_encoder
from gap_mmaction.models.text.text_encoder import select_tokens
from tests.models.text_common import raises, save_tiny_hf

transformers = pytest.importorskip("transformers")
TEXTS = [
    "sit down",
    "the head does throw , the arm does stand up once more again",
    "stand up now",
]
NEAR: dict[str, Any] = dict(rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        kind: save_tiny_hf(tmp_path_factory.mktemp(kind), kind)
        for kind in ("bert", "clip")
    }


@pytest.fixture
def bert(folders: dict[str, str]) -> str:
    return folders["bert"]


def _build(model: str, **options: Any) -> HFTextEncoder:
    encoder = MODELS.build(dict(type="HFTextEncoder", model=model, **options))
    encoder.init_weights()
    return encoder.eval()


def _expected(folder: str, pooling: str, texts: list[str]) -> Tensor:
    """Encodes one text at a time, without padding, with the library alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    model = getattr(model, "text_model", model)
    pool = {"mean": lambda x: x.mean(0), "cls": lambda x: x[0], "eos": lambda x: x[-1]}
    with torch.no_grad():
        ids = (tokenizer(text, return_tensors="pt")["input_ids"] for text in texts)
        return torch.stack([pool[pooling](model(input_ids=i)[0][0]) for i in ids])


@pytest.mark.parametrize("pooling", ["cls", "mean", "eos"])
@pytest.mark.parametrize("kind", ["bert", "clip"])
def test_features(kind: str, pooling: str, folders: dict[str, str]) -> None:
    encoder = _build(folders[kind], pooling=pooling)
    assert encoder.embed_dims == 16
    expected = _expected(folders[kind], pooling, TEXTS)
    torch.testing.assert_close(encoder.encode(TEXTS), expected, **NEAR)
    if (kind, pooling) != ("clip", "cls"):  # whose first token sees itself alone
        assert (expected[0] - expected[2]).abs().max() > 0.05
    # Padding changes nothing.
    tokens = encoder.tokenize(TEXTS)
    assert tokens["mask"].sum(1).tolist() == [4, 15, 5]
    cut = select_tokens(tokens, torch.tensor([2, 0]))
    assert cut["ids"].shape == (2, 5)
    torch.testing.assert_close(encoder(cut), expected[[2, 0]], **NEAR)


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
    kind: str, checkpointing: bool, folders: dict[str, str]
) -> None:
    # DDP takes one without for an error.
    options = dict(pooling="eos", gradient_checkpointing=checkpointing)
    encoder = _build(folders[kind], **options).train()
    encoder(encoder.tokenize(TEXTS)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name


def test_of_an_image_model_the_text_side_is_built(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers.CLIPVisionModel, "__init__", None)
    encoder = _build(folders["clip"])
    assert type(encoder.model).__name__ == "CLIPTextModel"


def test_weights_are_read_in_init_weights_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny_hf(tmp_path, "bert", torch.float16)
    read = transformers.BertModel.from_pretrained
    monkeypatch.setattr(transformers.BertModel, "from_pretrained", None)
    encoder = HFTextEncoder(folder)
    monkeypatch.setattr(transformers.BertModel, "from_pretrained", read)
    encoder.init_weights()
    # In float32, whatever the file has.
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    stored = transformers.AutoModel.from_pretrained(folder).state_dict()
    for name, value in encoder.model.state_dict().items():
        torch.testing.assert_close(value, stored[name].float(), rtol=0, atol=0)


def test_texts_that_do_not_fit(bert: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(text_encoder, "print_log", lambda text, **_: said.append(text))
    encoder = _build(bert)
    fits = "sit down " + "again " * 20  # 24 tokens
    encoder.encode([*TEXTS, fits])
    assert not said
    encoder.encode([*TEXTS, fits.replace("sit", "stand") + "now"])  # 25
    assert "reads 24 tokens of a text: 1 of 4 are cut" in said[0]
    with pytest.raises(ValueError, match="differ only after these"):
        encoder.encode([fits, fits + "now"])
    assert _build(bert, max_length=6).tokenize([fits])["ids"].shape == (1, 6)


@pytest.mark.parametrize("part", ["AutoConfig", "BertModel", "AutoTokenizer"])
def test_offline(bert: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: Any, **kwargs: Any) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co'")

    monkeypatch.setattr(getattr(transformers, part), "from_pretrained", offline)
    words = [repr(bert), "couldn't connect", "path of a copy", "text_branch.features="]
    with raises(RuntimeError, "HFTextEncoder", *words):
        _build(bert).tokenize(TEXTS)


def test_other_faults(bert: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"pooling 'max' .*'cls'"):
        HFTextEncoder(bert, pooling="max")
    encoder = HFTextEncoder(save_tiny_hf(tmp_path, "clip"))
    weights = (Path(bert) / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(ValueError, match=rf"{tmp_path}' has no weights for \d+ of"):
        encoder.init_weights()
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(RuntimeError, match=r"the weights of .* cannot be had"):
        encoder.init_weights()


def test_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"pip install transformers.*features=FI"):
        HFTextEncoder("bert-base-uncased")
