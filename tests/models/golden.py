"""Golden files of models, and small backbones with all that a step computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gap_mmaction.models import CTRGCN, CTRBaseline
from tests.models.plain_gcn import perturb

# A layout small enough for float64: a trunk of three joints and two arms.
SMALL_LAYOUT: dict[str, Any] = dict(
    joints=["hip", "chest", "head", "left", "right"],
    inward=[(joint, "chest") for joint in ("hip", "head", "left", "right")],
    center="chest",
    parts=dict(arms=["left", "right"]),
)
FORMS = [(v, t) for v in ("mmaction2", "authors") for t in ("multi", "single")]
KINDS = [*FORMS, ("baseline", "single")]


def small(
    kind: str = "mmaction2", temporal: str = "multi", **kwargs: Any
) -> CTRGCN | CTRBaseline:
    """Builds a backbone of four blocks in float64 whose every parameter matters."""
    stages = dict(num_stages=4, inflate_stages=[2, 4], down_stages=[3, 4])
    settings: dict[str, Any] = dict(base_channels=16, **stages) | kwargs
    backbone: type = CTRBaseline
    if kind != "baseline":
        backbone = CTRGCN
        settings.update(variant=kind, temporal=temporal)
    model: CTRGCN | CTRBaseline = backbone(dict(layout=SMALL_LAYOUT), **settings)
    perturb(model.double())
    return model


def clips(n: int = 3, t: int = 11) -> Tensor:
    """Draws clips; an odd number of frames has the edges of strided convolutions."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 2, t, 5, 3, generator=generator, dtype=torch.float64)


def step(model: Any, x: Tensor) -> dict[str, Tensor]:
    """Returns output, gradients and state after a training step."""
    source = x.clone().requires_grad_()
    out = model(source)
    weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
    (weight * out).sum().backward()
    assert source.grad is not None
    assert torch.equal(source, x)
    results = dict(out=out.detach(), source=source.grad, **model.state_dict())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        results[f"gradient of {name}"] = parameter.grad.clone()
    # The graph of the authors' form is there to tell checkpoints apart only.
    results.pop("graph", None)
    return results


def compare(results: dict[str, Any], expected: dict[str, Any]) -> None:
    scales = {n: max(v.abs().max().item(), 1) for n, v in expected.items()}
    scaled = [{n: v / scales[n] for n, v in of.items()} for of in (results, expected)]
    torch.testing.assert_close(*scaled, rtol=1e-9, atol=1e-10)


def load_golden(
    golden_folder: Path, name: str
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Reads a golden file: its arrays and, apart from them, the model's state dict."""
    arrays, state = {}, {}
    with np.load(golden_folder / f"{name}.npz") as file:
        for key in file.files:
            if key.startswith("state/"):
                state[key[6:]] = torch.from_numpy(file[key])
            else:
                arrays[key] = torch.from_numpy(file[key])
    return arrays, state


def assert_output(actual: Tensor, expected: Tensor) -> None:
    """Compares a model's output within the golden files' tolerance."""
    atol = 2e-5 * expected.abs().max().item()
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)
