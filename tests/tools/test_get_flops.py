"""tools/get_flops.py: operations as counted by hand; tests cost the same with GAP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gap_mmaction.evaluation.cost import count_flops
from gap_mmaction.models.backbones.ctrgcn_units import (
    MultiScaleTemporalConv,
    RefinementGraphConv,
)
from tools.get_flops import main

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


def test_table_and_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cost.json"
    assert main([CONFIG, "--out", str(out), *OPTIONS]) == 0
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
    assert main([CONFIG, *OPTIONS, "model.text_branch=None"]) == 1
    assert "model.text_branch is not set" in capsys.readouterr().err
