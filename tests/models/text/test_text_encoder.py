"""Features of a file, damaged files, random features, and a transformer's batches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from safetensors.torch import save_file

from gap_mmaction.models import CachedTextEncoder
from gap_mmaction.models.text.cached_encoder import (
    FORMAT,
    hash_texts,
    open_features,
    save_features,
)
from gap_mmaction.models.text.text_encoder import build_frozen_encoder
from tests.models.text_common import EmbeddingTextEncoder, raises

TEXTS = ["sit down", "stand up", "über\nzwei Zeilen"]
FEATURES = torch.arange(12.0).view(4, 3).t()  # not contiguous


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new folder" / "features.safetensors"
    save_features(path, TEXTS, FEATURES, "MiniLM, by hand")
    return path


def _save(path: Path, features: torch.Tensor, **metadata: str) -> Path:
    entries = dict(format=FORMAT, texts=json.dumps(TEXTS), sha256=hash_texts(TEXTS))
    save_file({"features": features}, str(path), {**entries, **metadata})
    return path


def test_look_up(file: Path) -> None:
    features = open_features(str(file))
    assert (features.path, features.embed_dims) == (file, 4)
    assert features.texts == tuple(TEXTS)
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


@pytest.mark.parametrize("length", [0, 4, 100, -4, None])
def test_no_safetensors(file: Path, length: int | None) -> None:
    content = file.read_bytes()[:length] if length is not None else b"a text" * 9
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{file} is no readable safetensors"):
        open_features(file)


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
    ],
)
def test_damaged_header(
    file: Path, features: torch.Tensor, metadata: dict[str, str], words: str
) -> None:
    _save(file, features.contiguous(), **metadata)
    with pytest.raises(ValueError, match=rf"(?s){file}: .*{words}"):
        open_features(file)
    save_file({"weight": torch.zeros(2, 2)}, str(file))
    with pytest.raises(ValueError, match=rf"{file}: format is None"):
        open_features(file)


def test_bad_numbers(file: Path) -> None:
    for bad, words in ((float("nan"), "1 of 3.*'stand up'"), (2, "torch.int64")):
        opened = open_features(_save(file, torch.tensor([[1], [bad], [1]])))
        with pytest.raises(ValueError, match=f"{file}.*{words}"):
            opened.read()


LENGTHS = [9, 3, 17, 8, 40, 16, 3, 33]
LETTERS = [chr(97 + i) * length for i, length in enumerate(LENGTHS)]


@pytest.fixture
def encoder() -> EmbeddingTextEncoder:
    encoder = EmbeddingTextEncoder()
    encoder.init_weights()
    return encoder


@pytest.mark.parametrize("rows", [[7, 1, 0, 3, 4, 5, 1], [2]])
def test_features_and_gradients_are_those_of_one_pass(
    encoder: EmbeddingTextEncoder, rows: list[int]
) -> None:
    tokens = encoder.tokenize(LETTERS)
    parts = encoder.encode_tokens(tokens, torch.tensor(rows))
    if len(rows) > 1:
        # 3 and 8, 9 and 16, 33 and 40 tokens, each padded to the longer one.
        shapes = [tuple(batch["ids"].shape) for batch in encoder.batches]
        assert shapes == [(3, 8), (2, 16), (2, 40)]
    whole = encoder(tokens)[rows]
    torch.testing.assert_close(parts, whole)
    weight = torch.randn_like(whole)
    grads = [
        torch.autograd.grad((features * weight).sum(), encoder.table.weight)[0]
        for features in (parts, whole)
    ]
    torch.testing.assert_close(*grads)


def test_encode_in_batches(
    encoder: EmbeddingTextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddingTextEncoder, "batch_size", 3)
    features = encoder.encode(LETTERS)
    assert all(len(batch["ids"]) <= 3 for batch in encoder.batches)
    whole = encoder(encoder.tokenize(LETTERS))
    torch.testing.assert_close(features, whole.detach())


def test_random_direction_of_a_text() -> None:
    config = {"type": "RandomTextEncoder", "embed_dims": 64, "seed": 3}
    throw, sit = build_frozen_encoder(config).encode(["throw", "sit down"])
    assert float(throw.norm()) == pytest.approx(1) and abs(float(throw @ sit)) < 0.5
    # Other texts play no part, the seed does.
    assert torch.equal(MODELS.build(config).encode(["run", "throw"])[1], throw)
    other = MODELS.build({**config, "seed": 4})
    assert not torch.allclose(other.encode(["throw"])[0], throw)
