"""tools/benchmark.py: its table, its file, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gap_mmaction.benchmark.backbone import load_class
from gap_mmaction.benchmark.measure import Comparison, compare
from gap_mmaction.models import CTRGCN
from tools.benchmark import main

OTHER = """
from gap_mmaction.models import CTRGCN
class Wider(CTRGCN):
    pass
"""


def test_backbone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "speed.json"
    args = ["backbone", "--small", "--pairs", "2", "--shapes", "nwucla", "--out"]
    assert main([*args, str(out)]) == 0
    result = json.loads(out.read_text())
    assert [row["work"] for row in result["rows"]] == ["nwucla eval", "nwucla step"]
    for row in result["rows"]:
        assert row["ours_ms"] > 0
        assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
        assert row["difference"] < 1e-4
    assert result["environment"]["threads"] == 1
    assert result["environment"]["torch"] == torch.__version__
    assert "| nwucla step |" in capsys.readouterr().out


def test_channels_last(tmp_path: Path) -> None:
    out = tmp_path / "speed.json"
    args = ["backbone", "--small", "--pairs", "2", "--shapes", "nwucla", "--works"]
    assert main([*args, "step", "--channels-last", "--out", str(out)]) == 0
    (row,) = json.loads(out.read_text())["rows"]
    assert row["difference"] < 1e-4


def test_pipeline(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "speed.json"
    args = ["pipeline", "--small", "--pairs", "2", "--out", str(out)]
    assert main(args) == 0
    rows = json.loads(out.read_text())["rows"]
    assert len(rows) == 2
    for row in rows:
        assert row["difference"] == 0
        assert row["ours_ms"] > 0 and row["other_ms"] > 0
    assert "| clip of 2 x 100 frames |" in capsys.readouterr().out


def test_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_clip = pytest.importorskip("open_clip")
    text = dict(context_length=77, vocab_size=49408, width=16, heads=2, layers=1)
    vision = dict(image_size=32, layers=1, width=16, patch_size=16)
    tiny = dict(embed_dim=12, vision_cfg=vision, text_cfg=text)
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", tiny)
    out = tmp_path / "speed.json"
    assert main(["text", "--model", "tiny", "--pairs", "2", "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["work"].split(", ")[2] for row in rows] == ["10 classes", "120 classes"]
    assert all(row["difference"] < 1e-4 for row in rows)


def test_step_and_inference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "speed.json"
    for command in ("step", "inference"):
        assert main([command, "--small", "--pairs", "2", "--out", str(out)]) == 0
        (row,) = json.loads(out.read_text())["rows"]
        assert row["ours_ms"] > 0 and row["other_ms"] > 0
    assert row["parameters"][0] == row["parameters"][1] > 1e6
    printed = capsys.readouterr().out
    assert "| ctrgcn_nwucla_cpu, step with GAP / without |" in printed


def test_step_needs_a_text_branch(tmp_path: Path) -> None:
    config = tmp_path / "plain.py"
    config.write_text("model = dict(text_branch=None)\n")
    with pytest.raises(ValueError, match="text_branch is not set"):
        main(["step", "--config", str(config)])


def test_ratio_is_that_of_pairs() -> None:
    comparison = Comparison([1.0, 10.0, 2.0], [2.0, 20.0, 8.0], 1.0, 4.0)
    assert comparison.ratios == [2, 2, 4]
    summary = comparison.summary()
    assert (summary["ratio"], summary["memory_ratio"]) == (2, 0.25)


def test_turns() -> None:
    calls: list[str] = []
    compare(
        lambda: calls.append("ours"),
        lambda: calls.append("other"),
        pairs=3,
        device=torch.device("cpu"),
    )
    assert calls[:8] == ["ours", "other"] * 4


def test_against_file(tmp_path: Path) -> None:
    file = tmp_path / "other.py"
    file.write_text(OTHER)
    assert load_class(str(file)) is CTRGCN
    assert load_class(f"{file}:Wider").__name__ == "Wider"
    with pytest.raises(KeyError, match="no class 'Narrower'"):
        load_class(f"{file}:Narrower")


def test_against_package_that_registers_its_own(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("from .ctrgcn import CTRGCN\n")
    (tmp_path / "ctrgcn.py").write_text(
        "from mmaction.registry import MODELS\n"
        "from torch import nn\n"
        "@MODELS.register_module()\n"
        "class CTRGCN(nn.Module):\n"
        "    pass\n"
    )
    assert load_class(str(tmp_path)) is not CTRGCN


@pytest.mark.parametrize("against", ["nowhere.py", "gap_nowhere.models"])
def test_against_nothing(against: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"--against {against}"):
        load_class(against)


@pytest.mark.parametrize(
    ("option", "message"),
    [("--pairs 1", "must be 2 or more"), ("--threads 0", "must be 1 or more")],
)
def test_options(option: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["backbone", *option.split()])
    assert message in capsys.readouterr().err


def test_pipeline_has_no_device() -> None:
    with pytest.raises(SystemExit):
        main(["pipeline", "--device", "cuda"])
