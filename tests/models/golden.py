"""Reading the golden files of models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

STATE = "state/"


def load_golden(
    golden_folder: Path, name: str
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Reads a golden file: its arrays and, apart from them, the model's state dict."""
    arrays, state = {}, {}
    with np.load(golden_folder / f"{name}.npz") as file:
        for key in file.files:
            if key.startswith(STATE):
                state[key[len(STATE) :]] = torch.from_numpy(file[key])
            else:
                arrays[key] = torch.from_numpy(file[key])
    return arrays, state


def assert_output(actual: Tensor, expected: Tensor) -> None:
    """Compares a model's output within the golden files' tolerance."""
    atol = 2e-5 * expected.abs().max().item()
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)
