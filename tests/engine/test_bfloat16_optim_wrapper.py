"""Mixed precision without an accelerator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from gap_mmaction.engine import launch
from tests.engine.tiny_run import tiny_config


def train(folder: Path, kind: str) -> tuple[np.ndarray, Any]:
    config = tiny_config(folder, 2, optim_wrapper__type=kind)
    config.experiment_name = f"amp_{kind}"
    config.work_dir = str(folder / kind)
    runner = launch.build_runner(config)
    types = []
    runner.model.text_branch.head.register_forward_hook(
        lambda module, args, out: types.append(out.dtype)
    )
    runner.train()
    losses = runner.message_hub.get_scalar("train/loss").data[0]
    return np.asarray(losses), types[-1]


def test_losses_are_near_those_of_single_precision(tmp_path: Path) -> None:
    single, kind = train(tmp_path, "OptimWrapper")
    half, kind_half = train(tmp_path, "BFloat16OptimWrapper")
    assert (kind, kind_half) == (torch.float32, torch.bfloat16)
    assert len(half) == 6 and np.isfinite(half).all()
    # bfloat16 has eight bits.
    assert 0 < np.abs(half - single).max() < 0.05 * single.max()
    state = torch.load(tmp_path / "BFloat16OptimWrapper/epoch_2.pth", weights_only=True)
    kinds = {value.dtype for value in state["state_dict"].values()}
    assert kinds <= {torch.float32, torch.int64}
