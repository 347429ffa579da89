"""Checkpoints are read without running anything in them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from gap_mmaction.utils.checkpoint_reader import read_checkpoint, weights_of
from gap_mmaction.utils.safetensors_checkpoint import dump_safetensors

STATE = {"a": torch.arange(6.0).view(2, 3).t(), "b": torch.tensor(3)}


def test_weights() -> None:
    parallel = {f"module.module.{key}": value for key, value in STATE.items()}
    assert set(weights_of(parallel, "a.pth")) == set(STATE)
    none: list[Any] = [{}, {"state_dict": {}}, {"state_dict": [1]}, {"model": STATE}]
    for content in none:
        with pytest.raises(ValueError, match=r"a\.pth: .*(no weights|'model'.*tensor)"):
            weights_of(content, "a.pth")


def test_safetensors(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    # Two names for one tensor, which safetensors alone refuses.
    shared = {**STATE, "c": STATE["a"]}
    file.write_bytes(dump_safetensors(shared, {"epoch": np.int64(2), "x": (1, "y")}))
    checkpoint = read_checkpoint(file)
    assert checkpoint["meta"] == {"epoch": 2, "x": [1, "y"]}
    state = weights_of(checkpoint, file)
    assert all(torch.equal(state[key], value) for key, value in shared.items())
    with pytest.raises(TypeError, match=r"write a \.pth file"):
        dump_safetensors(STATE, {"x": torch.ones(1)})


def test_damaged(tmp_path: Path) -> None:
    file = tmp_path / "epoch_1.pth"
    hub = {"log": HistoryBuffer([1.0], [1]), "runtime": np.float64(2)}
    torch.save({"state_dict": STATE, "message_hub": hub}, file)
    state = weights_of(read_checkpoint(file), file)
    assert all(torch.equal(state[key], value) for key, value in STATE.items())
    whole = file.read_bytes()
    for size in range(0, len(whole) - 1, len(whole) // 25):
        file.write_bytes(whole[:size])
        with pytest.raises((ValueError, pickle.UnpicklingError), match="epoch_1"):
            read_checkpoint(file)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_checkpoint(tmp_path / "absent.pth")
