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
LONG = "the head does throw , the arm does stand up once more again"
TEXTS = ["sit down", LONG, "stand up now"]
NEAR: dict[str, Any] = dict(rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("hf")
    return {kind: save_tiny_hf(folder / kind, kind) for kind in ("bert", "clip")}


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
    expected = _expected(folders[kind], pooling, TEXTS)
    encoder.train()
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.9
    # Without dropout.
    torch.testing.assert_close(encoder.encode(TEXTS), expected, **NEAR)
    assert encoder.training
    encoder.eval()
    # Padding changes nothing.
    tokens = encoder.tokenize(TEXTS)
    assert tokens["mask"].sum(1).tolist() == [4, 15, 5]
    cut = select_tokens(tokens, torch.tensor([2, 0]))
    assert cut["ids"].shape == (2, 5)
    torch.testing.assert_close(encoder(cut), expected[[2, 0]], **NEAR)


@pytest.mark.parametrize("kind", ["bert", "clip"])
def test_every_parameter_has_a_gradient(kind: str, folders: dict[str, str]) -> None:
    # DDP takes one without for an error.
    encoder = _build(folders[kind], gradient_checkpointing=True).train()
    encoder(encoder.tokenize(TEXTS)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name


def test_texts_that_do_not_fit(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(text_encoder, "print_log", lambda text, **_: said.append(text))
    encoder = _build(folders["bert"])
    fits = "sit down " + "again " * 20  # 24 tokens
    encoder.encode([*TEXTS, fits])
    assert not said
    encoder.encode([*TEXTS, fits.replace("sit", "stand") + "now"])  # 25
    assert "reads 24 tokens of a text: 1 of 4 are cut" in said[0]
    with pytest.raises(ValueError, match="differ only after these"):
        encoder.encode([fits, fits + "now"])
    assert _build(folders["bert"], max_length=6).tokenize([fits])["ids"].shape == (1, 6)


@pytest.mark.parametrize("part", ["AutoConfig", "BertModel", "AutoTokenizer"])
def test_offline(
    folders: dict[str, str], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*args: Any, **kwargs: Any) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co'")

    monkeypatch.setattr(getattr(transformers, part), "from_pretrained", offline)
    words = ["couldn't connect", "path of a copy", "text_branch.features="]
    with raises(RuntimeError, "HFTextEncoder", repr(folders["bert"]), *words):
        _build(folders["bert"]).tokenize(TEXTS)


def test_weights(
    folders: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"pooling 'max' .*'cls'"):
        HFTextEncoder(folders["bert"], pooling="max")
    encoder = HFTextEncoder(save_tiny_hf(tmp_path, "clip", torch.float16))
    encoder.init_weights()
    # In float32, whatever the file has.
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    weights = (Path(folders["bert"]) / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(ValueError, match=rf"{tmp_path}' has no weights for \d+ of"):
        encoder.init_weights()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"pip install transformers.*features=FI"):
        HFTextEncoder("bert-base-uncased")
