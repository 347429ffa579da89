"""Files of text features."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gap_mmaction.models.text.cached_encoder import (
    FORMAT,
    hash_texts,
    open_features,
    save_features,
)

TEXTS = ["sit down", "stand up", "über\nzwei Zeilen"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new folder" / "features.safetensors"
    torch.manual_seed(0)
    save_features(path, TEXTS, torch.randn(3, 4), "MiniLM, by hand")
    return path


def _save(path: Path, features: torch.Tensor, **metadata: str) -> Path:
    entries = dict(format=FORMAT, texts=json.dumps(TEXTS), sha256=hash_texts(TEXTS))
    save_file({"features": features}, str(path), {**entries, **metadata})
    return path


def test_round_trip(file: Path) -> None:
    features = open_features(str(file))
    assert features.path == file
    assert features.texts == tuple(TEXTS)
    assert features.embed_dims == 4
    assert features.encoder == "MiniLM, by hand"
    torch.manual_seed(0)
    assert torch.equal(features.read(), torch.randn(3, 4))


def test_half_precision_is_read_as_float(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_features(path, TEXTS, torch.ones(3, 4, dtype=torch.float16), "x")
    assert open_features(path).read().dtype == torch.float32


def test_transposed_features(tmp_path: Path) -> None:
    path = tmp_path / "transposed.safetensors"
    features = torch.randn(4, 3).t()
    save_features(path, TEXTS, features, "x")
    assert torch.equal(open_features(path).read(), features)


def test_hash_is_of_the_set() -> None:
    assert hash_texts(["a", "b", "a"]) == hash_texts(["b", "a"])
    assert hash_texts(["a", "b"]) != hash_texts(["a", "c"])
    assert len(hash_texts([])) == 64


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no feature file .*cache_text_feat"):
        open_features(tmp_path / "none.safetensors")


class TestDamage:
    """Each is a ValueError that names the file."""

    @pytest.mark.parametrize("length", [0, 4, 100, -4])
    def test_cut_off(self, file: Path, length: int) -> None:
        file.write_bytes(file.read_bytes()[:length])
        with pytest.raises(ValueError, match=rf"{file} is no readable safetensors"):
            open_features(file)

    def test_something_else(self, file: Path) -> None:
        file.write_text("just a text that is longer than a header's length")
        with pytest.raises(ValueError, match=rf"{file} is no readable safetensors"):
            open_features(file)

    def test_other_safetensors(self, file: Path) -> None:
        save_file({"weight": torch.zeros(2, 2)}, str(file))
        with pytest.raises(ValueError, match=rf"{file}: format is None and"):
            open_features(file)

    def test_other_format(self, file: Path) -> None:
        _save(file, torch.zeros(3, 4), format="gap-text-features/0")
        with pytest.raises(ValueError, match="format is 'gap-text-features/0'"):
            open_features(file)

    def test_no_matrix(self, file: Path) -> None:
        _save(file, torch.zeros(3))
        with pytest.raises(ValueError, match="shape .* a matrix"):
            open_features(file)

    @pytest.mark.parametrize(
        "metadata",
        [
            dict(sha256="0" * 64),
            dict(texts=json.dumps(["sit down", "stand up", "lie down"])),
            dict(texts=json.dumps(TEXTS[:2]), sha256=hash_texts(TEXTS[:2])),
            dict(texts="[1, "),
            dict(texts="7"),
        ],
    )
    def test_texts(self, file: Path, metadata: dict[str, str]) -> None:
        _save(file, torch.zeros(3, 4), **metadata)
        with pytest.raises(ValueError, match=rf"{file}: sha256 .*damaged, make one"):
            open_features(file)

    def test_missing_texts(self, file: Path) -> None:
        features = load_file(file)
        save_file(features, str(file), {"format": FORMAT})
        with pytest.raises(ValueError, match=rf"{file}: sha256 None .*damaged"):
            open_features(file)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_not_finite(self, value: float, tmp_path: Path) -> None:
        features = torch.ones(3, 4)
        features[1, 2] = value
        file = open_features(_save(tmp_path / "nan.safetensors", features))
        with pytest.raises(ValueError, match=r"nan\.safetensors: .* 1 of 3 rows.*'stand up'"):
            file.read()

    def test_whole_numbers(self, tmp_path: Path) -> None:
        features = torch.ones(3, 4, dtype=torch.int64)
        file = open_features(_save(tmp_path / "int.safetensors", features))
        with pytest.raises(ValueError, match=r"int\.safetensors.*torch\.int64"):
            file.read()

    def test_no_width(self, tmp_path: Path) -> None:
        path = _save(tmp_path / "none.safetensors", torch.ones(3, 0))
        with pytest.raises(ValueError, match=r"none\.safetensors.*shape \[3, 0\]"):
            open_features(path)

    @pytest.mark.parametrize("texts", ["[" * 10**5, '"abc"', '{"a": 1}', '["\\ud800"]'])
    def test_texts_of_another_kind(self, texts: str, tmp_path: Path) -> None:
        path = _save(tmp_path / "texts.safetensors", torch.ones(3, 4), texts=texts)
        with pytest.raises(ValueError, match=r"texts\.safetensors: sha256"):
            open_features(path)
