"""The recognizer: a stock RecognizerGCN, the text branch in training, and heads."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import Tensor

from gap_mmaction.models import PartClassifier, PartPoolingHead
from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.utils.checkpoint_fit import CheckpointError
from tests.models.text_common import model_config, raises, write_descriptions


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_descriptions(tmp_path)


def _config(file: str | None = None, **options: Any) -> dict[str, Any]:
    """Returns a small model, with a text branch if there is a description file."""
    encoder = dict(type="EmbeddingTextEncoder", frozen=options.pop("frozen", False))
    branch = dict(prompts=dict(descriptions=file), encoder=encoder)
    return model_config(text_branch=branch if file else None, **options)


def _build(config: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(config))
    model.init_weights()
    return model


def _stock() -> Any:
    config = {**_config(), "type": "RecognizerGCN"}
    config.pop("text_branch")
    return _build(config)


def _data() -> dict[str, list]:
    torch.manual_seed(1)
    samples = [ActionDataSample().set_gt_label(i % 3) for i in range(5)]
    return dict(inputs=list(torch.randn(5, 1, 1, 6, 20, 3)), data_samples=samples)


def _loss(model: Any) -> dict[str, Tensor]:
    data = model.data_preprocessor(_data(), training=True)
    return model(**data, mode="loss")


def _scores(model: Any) -> Tensor:
    model.eval()
    with torch.no_grad():
        return torch.stack([out.pred_score for out in model.test_step(_data())])


def test_like_stock() -> None:
    model, stock = _build(_config()), _stock()
    assert type(stock).__name__ == "RecognizerGCN"
    assert list(model.state_dict()) == list(stock.state_dict())
    stock.load_state_dict(model.state_dict())
    losses, expected = _loss(model), _loss(stock)
    torch.testing.assert_close(losses, expected, rtol=0, atol=0)
    assert torch.equal(_scores(model), _scores(stock))


def test_takes_what_others_know(file: str) -> None:
    config = _config(file)
    config["data_preprocessor"]["stream"] = "bone"
    branch = _build(config).text_branch
    assert branch.head.pooling.shape == (20, 5)
    # Its own arguments win.
    config["text_branch"].update(layout="nturgb+d", num_classes=None)
    config["cls_head"]["num_classes"] = 4
    assert _build(config).text_branch.head.pooling.shape == (25, 5)


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("text_branch", dict(feature="x"), r"'feature' \(did you mean 'features'"),
        ("text_branch", dict(type="GCNHead"), "gap_mmaction.TrainingBranch"),
        ("cls_head", dict(num_classes=4), "describes 3 classes, .*num_classes=4"),
        ("backbone", dict(base_channels=16), r"model\.cls_head\.in_channels=16"),
        ("backbone", dict(graph_cfg=dict(layout="coco")), "layout is 'coco' of 17 jo"),
    ],
)
def test_config_is_checked(
    file: str, part: str, change: dict[str, Any], words: str
) -> None:
    config = _config(file)
    config[part].update(change)
    with pytest.raises((TypeError, ValueError), match=words):
        _build(config)
    with pytest.raises(TypeError, match=r"model\.text_branch='None'"):
        _build({**_config(), "text_branch": "None"})
    model, data = _build(_config(file)), _data()
    data["data_samples"][0].set_gt_label([1, 0, 1])
    with pytest.raises(ValueError, match=r"multi_class=True.*text_branch=None"):
        model(**model.data_preprocessor(data, True), mode="loss")


@pytest.mark.parametrize("frozen", [False, True])
def test_loss(file: str, frozen: bool) -> None:
    model = _build(_config(file, frozen=frozen))
    losses = _loss(model)
    names = "top1_acc top5_acc loss_cls loss_con con_global con_head con_hand con_hip "
    assert " ".join(losses) == names + "con_foot"
    total, _ = model.parse_losses(losses)
    # The parts are logged, not added.
    torch.testing.assert_close(total, losses["loss_cls"] + losses["loss_con"])
    total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name


def test_full_into_stock_and_plain(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    model = _build(_config(file))
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    model.train_step(_data(), wrapper)
    expected, path, stock = _scores(model), str(tmp_path / "epoch_1.pth"), _stock()
    save_checkpoint(dict(state_dict=model.state_dict(), meta={}), path)
    state = model.state_dict()
    own = {k: v for k, v in state.items() if not k.startswith("text_branch.")}
    stock.load_state_dict(own, strict=True)
    assert torch.equal(_scores(stock), expected)
    load_checkpoint(_stock(), path, map_location="cpu")  # as mmaction2's test.py
    capsys.readouterr()
    plain = _build(_config())
    load_checkpoint(plain, path, map_location="cpu", strict=True)
    assert "unexpected key" not in "".join(capsys.readouterr())
    assert torch.equal(_scores(plain), expected)
    # A plain one leaves the text branch as it is.
    missing, unexpected = model.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and all(key.startswith("text_branch.") for key in missing)
    outer = torch.nn.ModuleDict({"module": plain})
    outer.load_state_dict({f"module.{k}": v for k, v in state.items()})
    with pytest.raises(RuntimeError, match=r"Unexpected key.*neck\.weight"):
        plain.load_state_dict({**state, "neck.weight": torch.zeros(1)})
    # A backbone alone is welcome.
    alone = {k: v for k, v in plain.state_dict().items() if "cls_head" not in k}
    plain.load_state_dict(alone, strict=False)


CHAIN = dict(num_node=20, inward=[(i, i - 1) for i in range(1, 20)], center=0)
AUTHORS = dict(variant="authors")


@pytest.mark.parametrize(
    ("options", "backbone", "common", "words"),
    [
        (dict(layout="coco"), {}, {}, ["backbone.A", "[3, 17, 17]", "[3, 20, 20]"]),
        (dict(layout=CHAIN), {}, {}, ["backbone.A", "other edges", "data_prep"]),
        (dict(layout=CHAIN), {}, AUTHORS, ["backbone.graph", "graph_cfg.layout"]),
        ({}, dict(num_person=2), {}, ["data_bn.weight", "[120]", "[60]", "num_person"]),
        ({}, dict(num_stages=3), {}, ["net.2", "in the checkpoint only", "num_stages"]),
        ({}, AUTHORS, {}, ["backbone.variant='authors'", "another form"]),
        (dict(classes=7), {}, {}, ["cls_head.fc", "[7, 8]", "num_classes", "init_cfg"]),
    ],
)  # fmt: skip
def test_other_models_are_refused(
    options: dict, backbone: dict, common: dict, words: list[str]
) -> None:
    own, other = _config(), _config(**options)
    own["backbone"].update(common)
    other["backbone"].update({**common, **backbone})
    with raises(ValueError, *words):
        _build(own).load_state_dict(_build(other).state_dict(), strict=False)


def test_pretrained_backbone(tmp_path: Path) -> None:
    path = str(tmp_path / "other.pth")
    config, other = _config(), _build(_config(classes=7))
    save_checkpoint(dict(state_dict=other.state_dict(), meta={}), path)
    init = config["backbone"]["init_cfg"] = dict(
        type="Pretrained", checkpoint=path, prefix="backbone."
    )
    loaded = copy.deepcopy(_build(config).backbone)
    for key, weights in other.backbone.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], weights)
    del init["prefix"]
    with raises(
        CheckpointError, " 0 of its ", "'backbone.backbone.A'", "prefix='backbone.'"
    ):
        _build(config)
    init["prefix"] = "backbone."
    config["backbone"]["variant"] = "authors"
    with raises(CheckpointError, "another form"):
        _build(config)
    config["backbone"].update(variant="mmaction2", base_channels=16)
    config["cls_head"]["in_channels"] = 16
    with raises(CheckpointError, "base_channels"):
        _build(config)
    # Another layout is a start.
    coco = _config(layout="coco")
    coco["backbone"]["init_cfg"] = init
    started = _build(coco).backbone.state_dict()
    key = next(k for k in started if k.endswith("conv3.weight"))
    assert torch.equal(started[key], other.backbone.state_dict()[key])


PARTS = ["global", "head", "hand-arm", "hip", "leg-foot", "hip"]


@pytest.mark.parametrize("stream", ["joint", "bone"])
@pytest.mark.parametrize("layout", ["nturgb+d", "nw-ucla"])
def test_plain_means(layout: str, stream: str) -> None:
    torch.manual_seed(0)
    skeleton = get_skeleton(layout)
    head = PartPoolingHead(6, 4, PARTS, layout, stream)
    x = torch.randn(3, 2, 6, 5, skeleton.num_joints)
    out = head(x)
    assert out.shape == (3, 6, 4)
    for k, part in enumerate(PARTS):
        joints = list(skeleton.part(part, stream))
        # Over persons, frames and the part's joints at once.
        pooled = x.permute(0, 2, 1, 3, 4)[..., joints].flatten(2).mean(2)
        projection = head.projections[k]
        torch.testing.assert_close(out[:, k], projection(pooled), rtol=1e-5, atol=1e-6)


def test_head_initialization() -> None:
    torch.manual_seed(0)
    head = PartPoolingHead(256, 512, ["global", "head"], "nturgb+d")
    deviations = [p.std().item() for p in head.parameters() if p.ndim == 2]
    assert deviations == pytest.approx([0.0625, 0.0361], rel=0.02)
    biases = (p for p in head.parameters() if p.ndim == 1)
    assert [bool(bias.any()) for bias in biases] == [False, True]


def test_classifier() -> None:
    for wrong, message in ((["wing"], "'wing'"), ([], "parts` .* is empty")):
        with pytest.raises(ValueError, match=message):
            PartClassifier(3, 6, "coco", parts=wrong)
    torch.manual_seed(0)
    branch = PartClassifier(3, 6, "nw-ucla", parts=["upper", "lower"], loss_weight=0.5)
    x, labels = torch.randn(5, 1, 6, 4, 20), torch.tensor([0, 1, 2, 2, 1])
    losses = branch(x, labels)
    assert list(losses) == ["loss_part", "part_upper", "part_lower"]
    expected = [F.cross_entropy(scores, labels) for scores in branch.head(x).unbind(1)]
    torch.testing.assert_close(losses["loss_part"], 0.5 * sum(expected) / 2)
    for part, loss in zip(("upper", "lower"), expected):
        torch.testing.assert_close(losses[f"part_{part}"], loss.detach())
        assert not losses[f"part_{part}"].requires_grad
    losses["loss_part"].backward()
    assert all(p.grad is not None for p in branch.parameters())
