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
from mmengine.optim import OptimWrapper

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs" / "gap"

# Of each data set: persons M, joints V and classes.
DATASETS = {"ntu120": (2, 25, 120), "nwucla": (1, 20, 10)}
# The type of each backbone, and whether it normalizes persons apart from each other
# (mmaction2's data_bn_type 'MVC') or together ('VC').
BACKBONES = {
    "stgcn": ("STGCN", False),
    "aagcn": ("AAGCN", True),
    "stgcnpp": ("STGCN", False),
    "ctrbaseline": ("CTRBaseline", True),
    "ctrgcn-single": ("CTRGCN", True),
}
CASES = [(name, data) for name in BACKBONES for data in DATASETS]
FRAMES = 8


def load(name: str, data: str) -> Config:
    return Config.fromfile(CONFIGS / f"{name}_{data}.py")


def make_batch(data: str) -> dict[str, list]:
    persons, joints, classes = DATASETS[data]
    generator = torch.Generator().manual_seed(0)
    shape = (1, persons, FRAMES, joints, 3)
    return dict(
        inputs=[torch.randn(shape, generator=generator) for _ in range(3)],
        data_samples=[
            ActionDataSample().set_gt_label(label) for label in (0, 1, classes - 1)
        ],
    )


def scores_of(model: Any, data: str) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        outputs = model.test_step(make_batch(data))
    return torch.stack([output.pred_score for output in outputs])


@pytest.mark.parametrize(("name", "data"), CASES)
def test_leaf_replaces_the_backbone_alone(name: str, data: str) -> None:
    own, parent = load(name, data).to_dict(), load("ctrgcn", data).to_dict()
    backbone = own["model"].pop("backbone")
    plain = parent["model"].pop("backbone")
    assert own == parent
    assert backbone != plain
    assert backbone["type"] == BACKBONES[name][0]
    assert backbone["graph_cfg"]["layout"] == plain["graph_cfg"]["layout"]
    assert backbone.get("num_person", 2) == DATASETS[data][0]


def test_forms() -> None:
    """STGCN and STGCN++ are two settings of one class, as are the two CTR-GCNs."""
    for data in DATASETS:
        plain = MODELS.build(load("stgcn", data).model.backbone)
        plus = MODELS.build(load("stgcnpp", data).model.backbone)
        assert [plain.graph.mode, plus.graph.mode] == ["stgcn_spatial", "spatial"]
        assert type(plain.gcn[1].tcn).__name__ == "unit_tcn"
        assert type(plus.gcn[1].tcn).__name__ == "mstcn"
        assert plus.gcn[1].gcn.adaptive == "init"
        assert plus.gcn[1].gcn.with_res
        single = MODELS.build(load("ctrgcn-single", data).model.backbone)
        assert type(single.net[1].tcn1).__name__ == "TemporalConv"


@pytest.mark.parametrize(("name", "data"), CASES)
def test_trains_with_text_and_tests_without(
    name: str, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    config = load(name, data).model
    config.text_branch.features = f"data/text_features/{data}_minilm.safetensors"
    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    persons, joints, _ = DATASETS[data]

    # The contract of a backbone, and what is built on it.
    features = model.backbone(torch.randn(2, persons, FRAMES, joints, 3))
    assert features.shape == (2, persons, 256, FRAMES // 4, joints)
    assert model.cls_head.in_channels == 256
    for projection in model.text_branch.head.projections:
        assert projection.in_features == 256
    apart = persons if BACKBONES[name][1] else 1
    assert model.backbone.data_bn.num_features == apart * joints * 3

    # A step of training reaches every parameter, which DDP asks for.
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train()
    with optimizer.optim_context(model):
        batch = model.data_preprocessor(make_batch(data), True)
        losses, log = model.parse_losses(model(**batch, mode="loss"))
    assert {"loss_cls", "loss_con"} <= set(log)
    assert all(torch.isfinite(value).all() for value in log.values())
    losses.backward()
    unreached = [key for key, p in model.named_parameters() if p.grad is None]
    assert not unreached
    optimizer.step()
    moved = [k for k, v in model.state_dict().items() if not torch.equal(v, before[k])]
    assert any(key.startswith("backbone.") for key in moved)
    assert any(key.startswith("text_branch.head.") for key in moved)

    # At test time there is no text branch; and the stock recognizer gives the same.
    expected = scores_of(model, data)
    assert torch.isfinite(expected).all()
    config.text_branch = None
    plain = MODELS.build(config)
    plain.load_state_dict(model.state_dict(), strict=True)
    weights = plain.state_dict()
    assert not [key for key in weights if key.startswith("text_branch.")]
    assert torch.equal(scores_of(plain, data), expected)
    del config["text_branch"]
    stock = MODELS.build({**config, "type": "RecognizerGCN"})
    assert type(stock).__name__ == "RecognizerGCN"
    stock.load_state_dict(weights, strict=True)
    assert torch.equal(scores_of(stock, data), expected)
