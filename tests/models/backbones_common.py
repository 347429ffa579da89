"""Checks that every backbone of the project goes through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from gap_mmaction.models import convert_authors_state_dict
from tests.models.golden import assert_output, load_golden
from tests.models.plain_gcn import PlainGCN, perturb

# A layout small enough for float64: a trunk of three joints and two arms.
SMALL_LAYOUT: dict[str, Any] = dict(
    joints=["hip", "chest", "head", "left", "right"],
    inward=[("hip", "chest"), ("head", "chest"), ("left", "chest"), ("right", "chest")],
    center="chest",
    parts=dict(arms=["left", "right"]),
)
SMALL: dict[str, Any] = dict(
    num_stages=4, inflate_stages=[2, 4], down_stages=[3, 4], num_person=2
)
SMALL_PLAIN: dict[str, Any] = dict(
    stages=4, inflate=[2, 4], down=[3, 4], joints=5, persons=2
)


def check_authors_golden(
    shared: Path, file: str, backbone: dict[str, Any], plain: PlainGCN
) -> None:
    """Compare feature and logits with the authors' model's, and a plain one's too."""
    arrays, state = load_golden(shared, file)
    model = MODELS.build(
        dict(
            type="RecognizerGCN",
            backbone=backbone,
            cls_head=dict(type="GCNHead", num_classes=10, in_channels=64),
        )
    ).eval()
    model.load_state_dict(convert_authors_state_dict(state, recognizer=True))
    plain.eval().load_state_dict(convert_authors_state_dict(state))
    x = arrays["input"].permute(0, 4, 2, 3, 1)  # from [N, C, T, V, M]
    with torch.no_grad():
        feature = model.backbone(x)
        logits = model.cls_head(feature)
        assert_output(plain(x), arrays["feature"])
    assert_output(feature, arrays["feature"])
    assert_output(logits, arrays["logits"])


def check_training(model: nn.Module, plain: PlainGCN) -> None:
    """Compare outputs, statistics and all gradients in training, in float64."""
    model.double().train()
    plain.double().train()
    perturb(model)
    # The graph of the authors' form is there to tell checkpoints apart only.
    own = {key: value for key, value in model.state_dict().items() if key != "graph"}
    plain.load_state_dict(own)
    # An odd number of frames, for the edges of strided convolutions.
    x = torch.randn(3, 2, 11, 5, 3, dtype=torch.float64)
    results = []
    network: nn.Module
    for network in (model, plain):
        source = x.clone().requires_grad_()
        out = network(source)
        weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
        (weight * out).sum().backward()
        torch.testing.assert_close(source.detach(), x, rtol=0, atol=0)
        assert source.grad is not None
        results.append((out.detach(), source.grad, _gradients(network)))
    (out, grad_x, grads), (plain_out, plain_grad_x, plain_grads) = results
    assert_close(out, plain_out)
    assert_close(grad_x, plain_grad_x)
    assert grads.keys() == plain_grads.keys()
    for name, grad in plain_grads.items():
        assert_close(grads[name], grad, name)
    statistics = model.state_dict()
    for name, value in plain.state_dict().items():
        assert_close(statistics[name], value, name)


def check_two_forwards(model: nn.Module, x: Tensor) -> None:
    """Nothing that the backward pass needs is overwritten in place."""
    model.eval()
    perturb(model)
    before = x.clone()
    model(x).square().sum().backward()
    once = _gradients(model)
    model.zero_grad()
    first, second = model(x), model(x)
    copy = first.detach().clone()
    (first.square().sum() + second.square().sum()).backward()
    assert torch.equal(x, before)
    assert torch.equal(first, copy)
    assert torch.equal(first, second)
    for name, grad in _gradients(model).items():
        torch.testing.assert_close(grad, 2 * once[name], rtol=1e-4, atol=1e-4)


def assert_close(actual: Any, expected: Tensor, name: str = "") -> None:
    """Compare in float64."""
    scale = max(expected.double().abs().max().item(), 1.0)
    torch.testing.assert_close(
        actual, expected, rtol=1e-9, atol=1e-10 * scale, msg=lambda m: f"{name}: {m}"
    )


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    grads = {}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        grads[name] = parameter.grad.clone()
    return grads
