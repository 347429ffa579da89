"""tools/analysis/explain.py: what is changed, and what is made of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import save_checkpoint

from tests.engine.tiny_run import ROOT
from tools.analysis.explain import Explainer, Falls, main, summarize

OPTIONS = ["model.backbone.base_channels=4", "model.backbone.num_stages=2"]
OPTIONS += ["model.backbone.inflate_stages=[2]", "model.backbone.down_stages=[2]"]
OPTIONS += ["model.cls_head.in_channels=8", "test_dataloader.batch_size=32"]
CONFIG = str(ROOT / "configs" / "gap" / "ctrgcn_synthetic.py")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(ROOT)
    config = Config.fromfile(CONFIG)
    config.model.backbone.update(base_channels=4, num_stages=2)
    config.model.backbone.update(inflate_stages=[2], down_stages=[2])
    config.model.cls_head.in_channels = 8
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    return model


@pytest.mark.parametrize("how", ["freeze", "swap"])
def test_tool(
    how: str, model: Any, synthetic: Path, tmp_path: Path, capsys: Any
) -> None:
    checkpoint = tmp_path / "epoch_1.pth"
    save_checkpoint({"state_dict": model.state_dict()}, str(checkpoint))
    data = f"test_dataloader.dataset.ann_file={synthetic}"
    arguments = [CONFIG, str(checkpoint), "--how", how, "--out", str(tmp_path)]
    assert main([*arguments, "--cfg-options", *OPTIONS, data]) == 0
    rows = re.findall(r"^\| (\w+) \| -?[\d.]+ \|", capsys.readouterr().out, re.M)
    assert rows == ["head", "hand", "hip", "foot"]
    assert (tmp_path / "explain.md").exists() and (tmp_path / "deletion.png").exists()


def test_only_the_joints_of_a_part_are_changed(model: Any) -> None:
    x, other = torch.rand(2, 3, 1, 1, 6, 25, 3).unbind(0)
    joints = [[3], [], [7, 8]]
    for how in ("freeze", "swap"):
        found = Explainer(model, how, 0).change(x, other, joints)
        for clip, changed, of_clip, mine in zip(x, found, joints, other):
            rest = [joint for joint in range(25) if joint not in of_clip]
            assert torch.equal(changed[..., rest, :], clip[..., rest, :])
            expected = clip[:, :, :1].expand_as(clip) if how == "freeze" else mine
            assert torch.equal(changed[..., of_clip, :], expected[..., of_clip, :])


def test_a_classifier_of_one_part(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its score falls with the motion of that part, and of no other."""
    explainer = Explainer(model, "freeze", 0)
    hand = explainer.names.index("hand")

    def forward(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        motion = (
            x[..., explainer.joints[hand], :].diff(dim=3).square().sum((1, 2, 3, 4, 5))
        )
        scores = torch.stack([motion, torch.full_like(motion, 1e-6)], 1)
        features = explainer.texts[:1].expand(len(x), -1, -1)
        return scores, features

    monkeypatch.setattr(explainer, "forward", forward)
    x = torch.rand(4, 1, 1, 6, 25, 3)
    falls = explainer.explain(x, x)
    others = [k for k in range(len(explainer.names)) if k != hand]
    assert (falls.part[:, hand] > 0.9 * falls.score).all()
    assert np.allclose(falls.part[:, others], 0)
    # The gradient finds it first; the area under its curve is the least.
    areas = falls.curves.mean((1, 2))
    assert areas[1] < areas[2]


def test_summary_of_a_perfect_reason() -> None:
    near = np.random.default_rng(0).random((6, 3))
    curves = np.stack([np.full((6, 4), value) for value in (0.2, 0.3, 0.5)])
    none = np.zeros((6, 3))
    falls = Falls(np.ones(6), near, near, none, none, curves, none > 0)
    text = summarize(["a", "b", "c"], falls)
    assert "random joints: +1.000 ± 0.000." in text
    assert "by similarity, less at random: +0.300" in text
