"""Training on a GPU; GAP_DEVICE=cpu tries the tests out without one."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import runner
from torch import Tensor, nn

from gap_mmaction.engine import launch
from gap_mmaction.models.backbones import plain_path
from tests.engine.tiny_run import ROOT, tiny_config

DEVICE = torch.device(os.environ.get("GAP_DEVICE", "cuda"))
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        DEVICE.type == "cuda" and not torch.cuda.is_available(),
        reason="there is no GPU",
    ),
]
HALF = torch.float16 if DEVICE.type == "cuda" else torch.bfloat16


def backbone(name: str = "ctrgcn_ntu120", **options: Any) -> Any:
    settings = Config.fromfile(ROOT / "configs" / "gap" / f"{name}.py").model.backbone
    torch.manual_seed(0)
    model = MODELS.build({**settings, "base_channels": 16, **options})
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # or the blocks are nearly identities
            nn.init.ones_(module.weight)
    return model


def clips(model: Any, device: torch.device = DEVICE) -> Tensor:
    shape = (4, model.num_person, 16, model.skeleton.num_joints, 3)
    values = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    return values.to(device)


def gradients(model: Any, x: Tensor, half: bool = False) -> dict[str, Tensor]:
    with torch.autocast(x.device.type, HALF, enabled=half):
        out = model(x)
    out.float().square().mean().backward()
    found = {name: p.grad for name, p in model.named_parameters()}
    model.zero_grad()
    return {"output": out.detach(), **found}


def difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Of the output and all gradients, relative to their norm."""
    both = [
        torch.cat([of[name].double().cpu().flatten() for name in expected])
        for of in (found, expected)
    ]
    return float((both[0] - both[1]).norm() / both[1].norm())


@pytest.fixture(autouse=True)
def full_precision() -> None:
    torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize(
    "name", ["ctrgcn_ntu120", "ctrgcn_ntu120_mmaction2", "ctrbaseline_ntu120"]
)
def test_forms_against_the_cpu(name: str) -> None:
    model = backbone(name)
    exact = copy.deepcopy(model).double()
    with plain_path():
        expected = gradients(exact, clips(exact, torch.device("cpu")).double())
        plain = gradients(copy.deepcopy(model).to(DEVICE), clips(model))
    model.to(DEVICE)
    assert difference(plain, expected) < 1e-4
    assert difference(gradients(model, clips(model)), expected) < 1e-4
    buffers = dict(model.named_buffers())
    for key, value in exact.named_buffers():
        torch.testing.assert_close(
            buffers[key].cpu().double(), value.double(), rtol=1e-4, atol=1e-5
        )
    assert difference(gradients(model, clips(model), half=True), expected) < 0.2


def test_compiled_backbone() -> None:
    model = backbone(num_stages=3, inflate_stages=[2], down_stages=[2]).to(DEVICE)
    expected = gradients(model, clips(model))
    backend = "inductor" if DEVICE.type == "cuda" else "aot_eager"
    model.compile(backend=backend, fullgraph=True)
    assert difference(gradients(model, clips(model)), expected) < 1e-4


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Tensor]]:
    """Trains the tiny configuration on a device; returns the weights, on the CPU."""

    def run(folder: Path, device: str = DEVICE.type, **options: Any) -> dict[str, Any]:
        monkeypatch.setattr(runner, "get_device", lambda: device)
        folder.mkdir(exist_ok=True)
        config = tiny_config(folder, **options)
        config.experiment_name += f"_{device}_{config.train_cfg.max_epochs}"
        built = launch.build_runner(config)
        built.train()
        state: dict[str, Tensor] = built.model.state_dict()
        assert {value.device.type for value in state.values()} == {device}
        return {key: value.cpu() for key, value in state.items()}

    return run


def test_step_with_amp(tmp_path: Path, train: Any) -> None:
    kind = "AmpOptimWrapper" if DEVICE.type == "cuda" else "BFloat16OptimWrapper"
    state = train(tmp_path / "half", epochs=1, optim_wrapper__type=kind)
    full = train(tmp_path / "full", epochs=1)
    assert all(value.isfinite().all() for value in state.values())
    assert any(not torch.equal(state[key], full[key]) for key in full)


def test_same_twice(tmp_path: Path, train: Any) -> None:
    options: Any = dict(epochs=2, randomness__deterministic=True)
    first, second = (train(tmp_path / name, **options) for name in ("one", "two"))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    "devices", [("cpu", DEVICE.type), (DEVICE.type, "cpu")], ids=["to", "from"]
)
def test_resume_elsewhere(devices: tuple[str, str], tmp_path: Path, train: Any) -> None:
    first, second = devices
    whole = train(tmp_path / "whole", second)
    train(tmp_path / "parts", first, epochs=1)
    found = train(tmp_path / "parts", second, resume=True)
    for key, value in whole.items():
        torch.testing.assert_close(found[key], value, rtol=0.05, atol=0.02, msg=key)
