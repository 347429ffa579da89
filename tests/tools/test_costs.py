"""tools/benchmark.py and tools/get_flops.py: times, operations, and what cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gap_mmaction.evaluation.cost import count_flops
from gap_mmaction.models import CTRGCN
from gap_mmaction.models.backbones.ctrgcn_units import (
    MultiScaleTemporalConv,
    RefinementGraphConv,
)
from tests.benchmarks.speed_cases import load_class
from tools import benchmark, get_flops

Printed = pytest.CaptureFixture[str]


def run(folder: Path, *args: str) -> list[dict[str, Any]]:
    out = folder / "speed.json"
    assert benchmark.main([*args, "--pairs", "2", "--small", "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["environment"]["torch"] == torch.__version__
    for row in result["rows"]:
        assert row["ours_ms"] > 0 and row["other_ms"] > 0
        assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    return result["rows"]


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("backbone --shapes nwucla", ["nwucla eval", "nwucla step"]),
        ("backbone --works eval --shapes ntu --channels-last", ["ntu eval"]),
        ("pipeline", [f"clip of 2 x 100 frames{end}" for end in ("", ", normalized")]),
        ("text --model tiny", [f"tiny, 16 samples, {n} classes" for n in (10, 120)]),
    ],
)
@pytest.mark.usefixtures("tiny_clip")
def test_same_output(
    command: str, names: list[str], tmp_path: Path, capsys: Printed
) -> None:
    rows, printed = run(tmp_path, *command.split()), capsys.readouterr().out
    for row, name in zip(rows, names, strict=True):
        assert row["work"].startswith(name) and f"| {row['work']} |" in printed
        assert row["difference"] <= (0 if command == "pipeline" else 1e-4)


def test_step_and_inference(tmp_path: Path) -> None:
    (step,), (inference,) = (run(tmp_path, name) for name in ("step", "inference"))
    assert step["parameters"][0] > step["parameters"][1] > 1e6
    assert inference["parameters"] == [step["parameters"][1]] * 2


def test_against(tmp_path: Path) -> None:
    file = tmp_path / "other.py"
    file.write_text("from gap_mmaction.models import CTRGCN\nclass Wide: pass\n")
    assert load_class(str(file)) is CTRGCN
    assert load_class(f"{file}:Wide").__name__ == "Wide"
    with pytest.raises(KeyError, match="no class 'Narrow'"):
        load_class(f"{file}:Narrow")
    # A package that registers its own.
    (tmp_path / "__init__.py").write_text(
        "from mmaction.registry import MODELS\n"
        "@MODELS.register_module()\nclass CTRGCN: pass\n"
    )
    assert load_class(str(tmp_path)) is not CTRGCN


def test_errors(tmp_path: Path, capsys: Printed) -> None:
    config = tmp_path / "plain.py"
    config.write_text("model = dict(text_branch=None)\n")
    for args, message in (
        (["step", "--config", str(config)], f"{config}: model.text_branch is not set"),
        (["backbone", "--against", "nowhere.py"], "No module named 'nowhere'"),
    ):
        assert benchmark.main(args) == 1
        assert message in capsys.readouterr().err


CONFIG = "configs/gap/ctrgcn_synthetic.py"
MODEL = dict(num_stages=2, base_channels=8, inflate_stages=[2], down_stages=[2])
OPTIONS = ["--clips", "2", "--frames", "8", "--pairs", "2", "--cfg-options"]
OPTIONS += ["model.cls_head.in_channels=16"]
OPTIONS += [f"model.backbone.{key}={value}" for key, value in MODEL.items()]


def test_convolutions_by_hand() -> None:
    n, c, o, r, v, t, s = 2, 16, 24, 4, 5, 6, 3
    gcn = RefinementGraphConv(c, o, r, torch.rand(s, v, v)).eval()
    tcn = MultiScaleTemporalConv(c).eval()
    x = torch.rand(n, c, v, t)
    ends = s * 2 * r * c * v  # conv1 and conv2 on the mean over time
    features = s * o * c * v * t
    topology = s * o * (r + 2) * v * v  # with the bias' and the shared channel
    product = s * o * v * v * t
    down = o * c * v * t
    graph = ends + features + topology + product + down
    branches = c * c * v * t + 2 * (c // 4) ** 2 * 5 * v * t
    # The fast form for inference goes past what is counted.
    with torch.no_grad():
        assert count_flops(lambda: gcn(x)) == 2 * n * graph
        assert count_flops(lambda: tcn(x)) == 2 * n * branches


def test_table_and_file(tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "cost.json"
    assert get_flops.main([CONFIG, "--out", str(out), *OPTIONS]) == 0
    rows = json.loads(out.read_text())["rows"]
    step, plain_step, test, plain_test = rows
    assert [row["gap"] for row in rows] == [True, False, True, False]
    # The five projections of the text branch to 384 dimensions.
    assert step["parameters"] - plain_step["parameters"] == 5 * (16 + 1) * 384
    assert plain_step["parameters"] == plain_test["parameters"] == test["parameters"]
    assert test["flops"] == plain_test["flops"] > 0
    assert step["flops"] > plain_step["flops"] > 2 * test["flops"]
    printed = capsys.readouterr().out
    assert f"| test, with GAP | {test['parameters']:,} |" in printed
    assert f"| {test['flops'] / 1e9:.3f} | {test['flops'] / 2e9:.3f} |" in printed
    assert get_flops.main([CONFIG, *OPTIONS, "model.text_branch=None"]) == 1
    assert "model.text_branch is not set" in capsys.readouterr().err
