"""The leaves that put another backbone under GAP: one line each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Registers the ConvBranch initialization of AAGCN, as every Runner does.
import mmaction.engine  # noqa: F401
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]

# Of each data set: persons M, joints V and classes.
DATASETS = {"ntu120": (2, 25, 120), "nwucla": (1, 20, 10)}
# Whether each backbone normalizes persons apart from each other (mmaction2's
# data_bn_type 'MVC') or together ('VC'), and the class of its temporal units.
BACKBONES = {
    "stgcn": (False, "unit_tcn"),
    "aagcn": (True, "unit_tcn"),
    "stgcnpp": (False, "mstcn"),
    "ctrbaseline": (True, "TemporalConv"),
    "ctrgcn-single": (True, "TemporalConv"),
}
FRAMES = 8


def make_batch(data: str) -> dict[str, list]:
    persons, joints, classes = DATASETS[data]
    generator, shape = torch.Generator().manual_seed(0), (3, 1, persons, FRAMES)
    inputs = torch.randn(*shape, joints, 3, generator=generator)
    labels = (0, 1, classes - 1)
    samples = [ActionDataSample().set_gt_label(label) for label in labels]
    return dict(inputs=list(inputs), data_samples=samples)


def scores_of(model: Any, data: str) -> torch.Tensor:
    with torch.no_grad():
        outputs = model.eval().test_step(make_batch(data))
    return torch.stack([output.pred_score for output in outputs])


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("data", DATASETS)
def test_trains_with_text_and_tests_without(
    name: str, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, leaf = (
        Config.fromfile(ROOT / "configs" / "gap" / f"{stem}_{data}.py")
        for stem in ("ctrgcn", name)
    )
    config = leaf.model
    # Nothing but the backbone is another one.
    expected = parent.to_dict()
    expected["model"]["backbone"] = config.backbone.to_dict()
    assert leaf.to_dict() == expected != parent.to_dict()

    monkeypatch.chdir(ROOT)
    config.text_branch.features = f"data/text_features/{data}_minilm.safetensors"
    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    apart, temporal = BACKBONES[name]
    assert temporal in {type(module).__name__ for module in model.backbone.modules()}

    # The contract of a backbone, and what is built on it.
    persons, joints, _ = DATASETS[data]
    features = model.backbone(torch.randn(2, persons, FRAMES, joints, 3))
    assert features.shape == (2, persons, 256, FRAMES // 4, joints)
    assert model.cls_head.in_channels == 256
    assert all(p.in_features == 256 for p in model.text_branch.head.projections)
    normalized = (persons if apart else 1) * joints * 3
    assert model.backbone.data_bn.num_features == normalized

    # A step of training reaches every parameter, which DDP asks for.
    batch = model.train().data_preprocessor(make_batch(data), True)
    loss, log = model.parse_losses(model(**batch, mode="loss"))
    assert {"loss_cls", "loss_con"} <= set(log) and torch.isfinite(loss)
    loss.backward()
    unreached = [key for key, p in model.named_parameters() if p.grad is None]
    assert not unreached

    # At test time there is no text branch; and the stock recognizer gives the same.
    scores = scores_of(model, data)
    assert torch.isfinite(scores).all()
    config.text_branch = None
    plain = MODELS.build(config)
    plain.load_state_dict(model.state_dict(), strict=True)
    assert not [key for key in plain.state_dict() if key.startswith("text_branch.")]
    del config["text_branch"]
    stock = MODELS.build({**config, "type": "RecognizerGCN"})
    assert type(stock).__name__ == "RecognizerGCN"
    stock.load_state_dict(plain.state_dict(), strict=True)
    for tested in (plain, stock):
        assert torch.equal(scores_of(tested, data), scores)
