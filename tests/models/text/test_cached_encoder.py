"""Text features from a file in place of an encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS

from gap_mmaction.models import CachedTextEncoder, PromptBank
from gap_mmaction.models.text.cached_encoder import hash_texts, save_features

TEXTS = ["sit down", "stand up", "throw"]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "features.safetensors"
    save_features(path, TEXTS, torch.arange(6.0).view(3, 2), "by hand")
    return str(path)


def test_look_up(file: str) -> None:
    encoder = MODELS.build(dict(type="CachedTextEncoder", features=file))
    assert encoder.frozen and encoder.embed_dims == 2
    encoder.init_weights()
    assert encoder.encode(["throw", "sit down", "throw"]).tolist() == [
        [4, 5],
        [0, 1],
        [4, 5],
    ]
    assert not list(encoder.parameters()) and not encoder.state_dict()


def test_other_texts(file: str) -> None:
    needed = ["sit down", "jump", "jump", "run"]
    with pytest.raises(ValueError) as error:
        CachedTextEncoder(file).encode(needed)
    for word in (
        file,
        "other texts",
        "the first is 'jump'",
        "of the 3 that are needed",
        hash_texts(TEXTS)[:12],
        hash_texts(needed)[:12],
        "tools/cache_text_features.py",
    ):
        assert word in str(error.value)


def test_no_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"'nowhere\.safetensors'"):
        CachedTextEncoder("nowhere.safetensors")


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
