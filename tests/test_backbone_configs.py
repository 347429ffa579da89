"""The leaves that put another backbone under GAP: one line each."""

from __future__ import annotations

from typing import Any

# Registers the ConvBranch initialization of AAGCN, as every Runner does.
import mmaction.engine  # noqa: F401
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from tests.config_files import ROOT, load

# Whether each backbone normalizes persons apart from each other (mmaction2's
# data_bn_type 'MVC') or together ('VC'), and the class of its temporal units.
BACKBONES = {
    "stgcn": (False, "unit_tcn"),
    "aagcn": (True, "unit_tcn"),
    "stgcnpp": (False, "mstcn"),
    "ctrbaseline": (True, "TemporalConv"),
    "ctrgcn-single": (True, "TemporalConv"),
}
PERSONS, FRAMES, JOINTS = 2, 8, 25


def make_batch() -> dict[str, list]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 1, PERSONS, FRAMES, JOINTS, 3, generator=generator)
    samples = [ActionDataSample().set_gt_label(label) for label in (0, 1, 119)]
    return dict(inputs=list(inputs), data_samples=samples)


def scores_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        outputs = model.eval().test_step(make_batch())
    return torch.stack([output.pred_score for output in outputs])


@pytest.mark.parametrize("name", BACKBONES)
def test_trains_with_text_and_tests_without(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    folder = ROOT / "configs" / "gap"
    for data in ("nwucla", "ntu120"):
        # Nothing but the backbone is another one.
        parent, leaf = (load(folder / f"{x}_{data}.py") for x in ("ctrgcn", name))
        assert leaf.to_dict() != parent.to_dict()
        parent.model.backbone = leaf.model.backbone
        assert leaf.to_dict() == parent.to_dict()
    config = leaf.model
    config.text_branch.features = "data/text_features/ntu120_minilm.safetensors"
    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    apart, temporal = BACKBONES[name]
    assert temporal in {type(module).__name__ for module in model.backbone.modules()}

    # The contract of a backbone, and what is built on it.
    features = model.backbone(torch.randn(2, PERSONS, FRAMES, JOINTS, 3))
    assert features.shape == (2, PERSONS, 256, FRAMES // 4, JOINTS)
    normalized = (PERSONS if apart else 1) * JOINTS * 3
    assert model.backbone.data_bn.num_features == normalized

    # A step of training reaches every parameter, which DDP asks for.
    batch = model.train().data_preprocessor(make_batch(), True)
    loss, log = model.parse_losses(model(**batch, mode="loss"))
    assert {"loss_cls", "loss_con"} <= set(log) and torch.isfinite(loss)
    loss.backward()
    assert not [key for key, p in model.named_parameters() if p.grad is None]

    # At test time there is no text branch; and the stock recognizer gives the same.
    scores = scores_of(model)
    assert torch.isfinite(scores).all()
    config.text_branch = None
    plain = MODELS.build(config)
    plain.load_state_dict(model.state_dict(), strict=True)
    del config["text_branch"]
    stock = MODELS.build({**config, "type": "RecognizerGCN"})
    assert type(stock).__name__ == "RecognizerGCN"
    stock.load_state_dict(plain.state_dict(), strict=True)
    for tested in (plain, stock):
        assert torch.equal(scores_of(tested), scores)
