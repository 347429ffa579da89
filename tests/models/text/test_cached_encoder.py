"""Text features from a file in place of an encoder, and files that are damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from safetensors.torch import load_file, save_file

from gap_mmaction.models import CachedTextEncoder, PromptBank
from gap_mmaction.models.text.cached_encoder import (
    FORMAT,
    hash_texts,
    open_features,
    save_features,
)
from tests.models.text_common import raises

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
    encoder = MODELS.build(dict(type="CachedTextEncoder", features=str(file)))
    assert encoder.frozen and encoder.embed_dims == 4
    encoder.init_weights()
    found = encoder.encode([TEXTS[2], TEXTS[0], TEXTS[2]])
    assert torch.equal(found, FEATURES[[2, 0, 2]])
    assert not list(encoder.parameters()) and not encoder.state_dict()


def test_header(file: Path) -> None:
    features = open_features(str(file))
    assert (features.path, features.embed_dims) == (file, 4)
    assert features.texts == tuple(TEXTS)
    assert features.encoder == "MiniLM, by hand"
    save_features(file, TEXTS, FEATURES.half(), "x")
    assert open_features(file).read().dtype == torch.float32


def test_hash_is_of_the_set() -> None:
    assert hash_texts(["a", "b", "a"]) == hash_texts(["b", "a"])
    assert hash_texts(["a", "b"]) != hash_texts(["a", "c"])


def test_other_texts(file: Path) -> None:
    needed = ["sit down", "jump", "jump", "run"]
    words = ("the first is 'jump'", "of the 3 that are needed", "tools/cache_text_f")
    with raises(ValueError, str(file), *words):
        CachedTextEncoder(str(file)).encode(needed)


def test_no_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"'no\.safetensors'.*cache_text_feat"):
        CachedTextEncoder("no.safetensors")


@pytest.mark.parametrize("data", ["nwucla", "synthetic"])
def test_shipped_features(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # found from any working directory
    encoder = CachedTextEncoder(f"data/text_features/{data}_minilm.safetensors")
    bank = PromptBank(f"data/descriptions/{data}.yaml")
    features = encoder.encode(bank.texts)
    assert features.shape == (len(bank.texts), 384)
    assert torch.isfinite(features).all()
    # No two texts have the same features.
    assert len(features.unique(dim=0)) == len(bank.texts)


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
        (torch.zeros(3), {}, r"shape \[3\]"),
        (torch.zeros(3, 0), {}, r"shape \[3, 0\]"),
        (FEATURES, dict(sha256="0" * 64), "'0000.*damaged"),
        (FEATURES, dict(texts=json.dumps(["sit", "stand", "lie"])), "sha256 .*damaged"),
        (
            FEATURES,
            dict(texts=json.dumps(TEXTS[:2]), sha256=hash_texts(TEXTS[:2])),
            "2 texts and 3 rows.*damaged",
        ),
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


def test_other_safetensors(file: Path) -> None:
    features = load_file(file)
    save_file(features, str(file), {"format": FORMAT})
    with pytest.raises(ValueError, match=rf"{file}: sha256 None .*damaged"):
        open_features(file)
    save_file({"weight": torch.zeros(2, 2)}, str(file))
    with pytest.raises(ValueError, match=rf"{file}: format is None"):
        open_features(file)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (torch.tensor([1.0, float("nan")]), "1 of 3.*'stand up'"),
        (torch.tensor([1.0, float("inf")]), "1 of 3.*'stand up'"),
        (torch.tensor([1, 2]), "torch.int64"),
    ],
)
def test_bad_numbers(file: Path, bad: torch.Tensor, words: str) -> None:
    features = torch.ones(3, 2, dtype=bad.dtype)
    features[1] = bad
    opened = open_features(_save(file, features))
    with pytest.raises(ValueError, match=f"{file}.*{words}"):
        opened.read()
