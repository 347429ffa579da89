"""What a training step asks of a GPU, counted without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from gap_mmaction.engine import FiniteLossHook
from tests.benchmarks import count_kernels
from tests.benchmarks.count_kernels import count_backbone, count_step, counting
from tests.models.text_common import TINY_CLIP

NTU120 = Path(__file__).parents[2] / "configs" / "gap" / "ctrgcn_ntu120.py"


def test_backbone_with_amp() -> None:
    backbone = MODELS.build(Config.fromfile(NTU120).model.backbone)
    counts = count_backbone(backbone, [25, 2, 64, 25, 3], torch.float16)
    assert sum(counts.launches.values()) <= 1_350
    assert sum(counts.bytes.values()) <= 17.0e9
    assert not counts.waits and not counts.sent


def test_step_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    open_clip = pytest.importorskip("open_clip")
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", TINY_CLIP)
    monkeypatch.chdir(NTU120.parents[2])
    config = Config.fromfile(NTU120)
    config.model.text_branch.encoder.model = "tiny"
    config.model.backbone.update(base_channels=16, num_stages=3)
    config.model.backbone.update(inflate_stages=[2, 3], down_stages=[2, 3])
    config.model.cls_head.in_channels = 64
    counts = count_step(config, 6, 16, torch.float16)
    assert not [place for place in counts.waits if place.startswith("ours")]
    assert len(counts.sent) <= 4


def test_finite_loss_hook_waits_for_nothing() -> None:
    hook: Any = FiniteLossHook()
    model = torch.nn.Linear(1, 1).train()
    with counting() as mode:
        loss = mode.fake(torch.ones(()))
        hook._look(model, (), dict(mode="loss"), dict(loss=loss))
    assert len(hook._looks) == 1 and not mode.counts.waits


def test_waits_and_mixed_devices_are_seen() -> None:
    with counting() as mode:
        x = mode.fake(torch.ones(3))
        x.sum().item()
        x.cpu()
        assert len(mode.counts.waits) == 2
        torch.ones(2).to("cuda")
        assert len(mode.counts.sent) == 1
        with pytest.raises(RuntimeError, match="add: tensors on several devices"):
            _ = x + torch.ones(3)


def test_backward_pass() -> None:
    """It is autograd's, node by node."""
    x = torch.rand(4, 3, requires_grad=True)
    weight = torch.rand(3, 3, requires_grad=True)

    def loss() -> torch.Tensor:
        hidden = (x @ weight).relu()
        return (hidden * hidden.detach() + hidden.half().float()).sum()

    expected = torch.autograd.grad(loss(), (x, weight))
    count_kernels.backward(loss())
    torch.testing.assert_close((x.grad, weight.grad), expected)
