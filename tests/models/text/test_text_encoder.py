"""Text encoders: of a file, random, in batches, and those of transformers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from mmaction.registry import MODELS
from safetensors.torch import save_file

from gap_mmaction.models import CachedTextEncoder, HFTextEncoder
from gap_mmaction.models.text import text_encoder
from gap_mmaction.models.text.cached_encoder import (
    FORMAT,
    hash_texts,
    open_features,
    save_features,
)
from gap_mmaction.models.text.text_encoder import build_frozen_encoder, select_tokens
from tests.models.text_common import EmbeddingTextEncoder, raises, save_tiny_hf

TEXTS = ["sit down", "stand up", "über\nzwei Zeilen"]
FEATURES = torch.arange(12.0).view(4, 3).t()  # not contiguous


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new folder" / "features.safetensors"
    save_features(path, TEXTS, FEATURES, "MiniLM, by hand")
    return path


def test_look_up(file: Path) -> None:
    features = open_features(str(file))
    assert (features.texts, features.embed_dims) == (tuple(TEXTS), 4)
    assert features.encoder == "MiniLM, by hand"
    save_features(file, TEXTS, FEATURES.half(), "x")
    encoder = MODELS.build(dict(type="CachedTextEncoder", features=str(file)))
    assert encoder.frozen and not encoder.state_dict()
    found = encoder.encode([TEXTS[2], TEXTS[0], TEXTS[2]])
    assert found.dtype == torch.float32
    assert torch.equal(found, FEATURES[[2, 0, 2]])


def test_other_texts(file: Path) -> None:
    needed = ["sit down", "jump", "jump", "run"]
    words = ("the first is 'jump'", "of the 3 that are needed", "tools/cache_text_f")
    with raises(ValueError, str(file), *words):
        CachedTextEncoder(str(file)).encode(needed)
    with pytest.raises(FileNotFoundError, match=r"'no\.safetensors'.*cache_text_feat"):
        CachedTextEncoder("no.safetensors")


@pytest.mark.parametrize(
    ("features", "metadata", "words"),
    [
        (FEATURES, dict(format="gap-text-features/0"), "'gap-text-features/0'"),
        (torch.zeros(3, 0), {}, r"shape \[3, 0\]"),
        (FEATURES, dict(sha256="0" * 64), "'0000.*damaged"),
        (FEATURES[:2], {}, "3 texts and 2 rows.*damaged"),
        *(
            (FEATURES, dict(texts=texts), "sha256 .*damaged")
            for texts in ("[1, ", "7", "[" * 10**5, '"abc"', '{"a": 1}', '["\\ud800"]')
        ),
        (torch.tensor([[1], [float("nan")], [1]]), {}, "1 of 3.*'stand up'"),
        (torch.ones(3, 1, dtype=torch.int64), {}, "torch.int64"),
        (None, {}, "format is None"),
    ],
)
def test_damaged(
    file: Path, features: torch.Tensor | None, metadata: dict[str, str], words: str
) -> None:
    if features is None:
        save_file({"weight": torch.zeros(2, 2)}, str(file))
    else:
        entries = dict(format=FORMAT, texts=json.dumps(TEXTS), sha256=hash_texts(TEXTS))
        content = {"features": features.contiguous()}
        save_file(content, str(file), {**entries, **metadata})
    with pytest.raises(ValueError, match=rf"(?s){file}: .*{words}"):
        open_features(file).read()
    for length in (-4, 4, 0):
        file.write_bytes(file.read_bytes()[:length])
        with pytest.raises(ValueError, match=rf"{file} is no readable safetensors"):
            open_features(file)


LETTERS = [c * n for c, n in zip("abcdefgh", (9, 3, 17, 8, 40, 16, 3, 33))]


@pytest.mark.parametrize("pad_to", [None, (4, 16)])
@pytest.mark.parametrize("rows", [[7, 1, 0, 3, 4, 5, 1], [2]])
def test_features_and_gradients_are_those_of_one_pass(
    rows: list[int], pad_to: tuple[int, int] | None
) -> None:
    encoder = EmbeddingTextEncoder()
    encoder.init_weights()
    encoder.pad_to = pad_to
    tokens = encoder.tokenize(LETTERS)
    parts = encoder.encode_tokens(tokens, torch.tensor(rows))
    shapes = [tuple(batch["ids"].shape) for batch in encoder.batches]
    if pad_to is not None:  # of 42 columns
        assert shapes == ([(8, 42)] if len(rows) > 1 else [(4, 32)])
    elif len(rows) > 1:
        # 3 and 8, 9 and 16, 33 and 40 tokens, each padded to the longer one.
        assert shapes == [(3, 8), (2, 16), (2, 40)]
    whole = encoder(tokens)[rows]
    torch.testing.assert_close(parts, whole)
    weight = torch.randn_like(whole)
    grad, expected = (
        torch.autograd.grad((features * weight).sum(), encoder.table.weight)[0]
        for features in (parts, whole)
    )
    torch.testing.assert_close(grad, expected)
    encoder.batch_size, encoder.pad_to = 3, None
    encoder.batches.clear()
    features = encoder.encode(LETTERS)
    assert all(len(batch["ids"]) <= 3 for batch in encoder.batches)
    torch.testing.assert_close(features[rows], whole.detach())


def test_random_direction_of_a_text() -> None:
    config = {"type": "RandomTextEncoder", "embed_dims": 64, "seed": 3}
    throw, sit = build_frozen_encoder(config).encode(["throw", "sit down"])
    assert float(throw.norm()) == pytest.approx(1) and abs(float(throw @ sit)) < 0.5
    # Other texts play no part, the seed does.
    assert torch.equal(MODELS.build(config).encode(["run", "throw"])[1], throw)
    assert MODELS.build({**config, "seed": 4}).encode(["throw"])[0] @ throw < 0.5


LONG = "the head does throw , the arm does stand up once more again"
SENTENCES = ["sit down", LONG, "stand up now"]
NEAR: dict[str, Any] = dict(rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("hf")
    return {kind: save_tiny_hf(folder / kind, kind) for kind in ("bert", "clip")}


def _build_hf(model: str, **options: Any) -> HFTextEncoder:
    encoder = MODELS.build(dict(type="HFTextEncoder", model=model, **options))
    encoder.init_weights()
    return encoder.eval()


@pytest.mark.parametrize("pooling", ["cls", "mean", "eos"])
@pytest.mark.parametrize("kind", ["bert", "clip"])
def test_hf_features(kind: str, pooling: str, folders: dict[str, str]) -> None:
    """As the library alone, of one text at a time and without padding."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folders[kind])
    model = transformers.AutoModel.from_pretrained(folders[kind]).eval()
    model = getattr(model, "text_model", model)
    pool = {"mean": lambda x: x.mean(0), "cls": lambda x: x[0], "eos": lambda x: x[-1]}
    with torch.no_grad():
        ids = (tokenizer(text, return_tensors="pt")["input_ids"] for text in SENTENCES)
        rows = [pool[pooling](model(input_ids=i)[0][0]) for i in ids]
    expected = torch.stack(rows)
    encoder = _build_hf(folders[kind], pooling=pooling, gradient_checkpointing=True)
    encoder.train()
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.9
    # Without dropout.
    torch.testing.assert_close(encoder.encode(SENTENCES), expected, **NEAR)
    assert encoder.training
    # DDP takes a parameter without a gradient for an error.
    encoder(encoder.tokenize(SENTENCES)).square().sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())
    encoder.eval()
    tokens = encoder.tokenize(SENTENCES)
    cut = select_tokens(tokens, torch.tensor([2, 0]))
    assert cut["ids"].shape == (2, 5)
    torch.testing.assert_close(encoder(cut), expected[[2, 0]], **NEAR)


def test_texts_that_do_not_fit(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(text_encoder, "print_log", lambda text, **_: said.append(text))
    encoder = _build_hf(folders["bert"])
    fits = "sit down " + "again " * 20  # 24 tokens
    encoder.encode([fits, fits.replace("sit", "stand") + "now", *SENTENCES[1:]])
    assert len(said) == 1 and "reads 24 tokens of a text: 1 of 4 are cut" in said[0]
    with pytest.raises(ValueError, match="differ only after these"):
        encoder.encode([fits, fits + "now"])
    tokens = _build_hf(folders["bert"], max_length=6).tokenize([fits])
    assert tokens["ids"].shape == (1, 6)


@pytest.mark.parametrize("part", ["AutoConfig", "BertModel", "AutoTokenizer"])
def test_hf_offline(
    folders: dict[str, str], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline = mock.Mock(side_effect=OSError("We couldn't connect to 'https://hug'"))
    monkeypatch.setattr(f"transformers.{part}.from_pretrained", offline)
    words = ["HFTextEncoder", "couldn't connect", "text_branch.features="]
    with raises(RuntimeError, repr(folders["bert"]), *words):
        _build_hf(folders["bert"]).tokenize(SENTENCES)


def test_hf_weights(
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
