"""The recognizer: a stock RecognizerGCN, and the text branch in training."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import Tensor

from gap_mmaction.models import TextBranch
from tests.models.text_common import model_config, raises, write_descriptions

JOINTS = 20
PARTS = ["global", "head", "hand", "hip", "foot"]


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
    return dict(
        inputs=[torch.randn(1, 1, 6, JOINTS, 3) for _ in range(5)],
        data_samples=[ActionDataSample().set_gt_label(i % 3) for i in range(5)],
    )


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
    assert list(losses) == list(expected) == ["top1_acc", "top5_acc", "loss_cls"]
    for name, value in expected.items():
        assert torch.equal(losses[name], value)
    assert torch.equal(_scores(model), _scores(stock))
    preprocessor = dict(type="ActionDataPreprocessor")
    config = {**_config(), "data_preprocessor": preprocessor, "cls_head": None}
    out, _ = _build(config).extract_feat(torch.rand(2, 1, 1, 6, JOINTS, 3))
    assert out.shape == (2, 1, 8, 6, JOINTS)


def test_takes_what_others_know(file: str) -> None:
    config = _config(file)
    config["data_preprocessor"]["stream"] = "bone"
    branch = _build(config).text_branch
    assert isinstance(branch, TextBranch)
    assert branch.head.pooling.shape == (JOINTS, 5)
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
    for sample in data["data_samples"]:
        sample.set_gt_label([1, 0, 1])
    with pytest.raises(ValueError, match=r"multi_class=True.*text_branch=None"):
        model(**model.data_preprocessor(data, True), mode="loss")


@pytest.mark.parametrize("frozen", [False, True])
def test_loss(file: str, frozen: bool) -> None:
    model = _build(_config(file, frozen=frozen))
    losses = _loss(model)
    names = ["top1_acc", "top5_acc", "loss_cls", "loss_con"]
    assert list(losses) == names + [f"con_{part}" for part in PARTS]
    total, log = model.parse_losses(losses)
    # The parts are logged, not added.
    torch.testing.assert_close(total, losses["loss_cls"] + losses["loss_con"])
    assert set(log) == {"loss", *losses}
    losses["loss_con"].backward(retain_graph=True)
    assert model.backbone.data_bn.weight.grad.abs().sum() > 0
    assert model.cls_head.fc.weight.grad is None
    total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name


def test_training_lowers_the_loss(file: str) -> None:
    model = _build(_config(file))
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1, momentum=0.9))
    values = [model.train_step(_data(), wrapper)["loss"] for _ in range(15)]
    assert values[-1] < 0.8 * values[0]
    assert model.text_branch.prompts.step == 15
    # Testing does not use it.
    expected, model.text_branch = _scores(model), None
    assert torch.equal(_scores(model), expected)


@pytest.mark.parametrize("strict", [False, True])
def test_full_into_stock_and_plain(
    file: str, strict: bool, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    model = _build(_config(file))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train_step(_data(), OptimWrapper(optimizer))
    expected, path, stock = _scores(model), str(tmp_path / "epoch_1.pth"), _stock()
    save_checkpoint(dict(state_dict=model.state_dict(), meta={}), path)
    state = model.state_dict()
    own = {k: v for k, v in state.items() if not k.startswith("text_branch.")}
    stock.load_state_dict(own, strict=True)
    assert torch.equal(_scores(stock), expected)
    load_checkpoint(_stock(), path, map_location="cpu")  # as mmaction2's test.py
    capsys.readouterr()
    plain = _build(_config())
    # With strict, an unexpected key is an error.
    load_checkpoint(plain, path, map_location="cpu", strict=strict)
    assert "unexpected key" not in "".join(capsys.readouterr())
    assert torch.equal(_scores(plain), expected)
    # A plain one leaves the text branch as it is.
    result = model.load_state_dict(plain.state_dict(), strict=False)
    assert not result.unexpected_keys
    assert all(key.startswith("text_branch.") for key in result.missing_keys)
    wrapper = torch.nn.ModuleDict({"module": plain})
    wrapper.load_state_dict({f"module.{k}": v for k, v in state.items()})


def test_other_keys() -> None:
    model = _build(_config())
    state = model.state_dict()
    with pytest.raises(RuntimeError, match=r"Unexpected key.*neck\.weight"):
        model.load_state_dict({**state, "neck.weight": torch.zeros(1)})
    # A backbone alone is welcome.
    alone = {k: v for k, v in state.items() if "cls_head" not in k}
    model.load_state_dict(alone, strict=False)


CHAIN = dict(num_node=JOINTS, inward=[(i, i - 1) for i in range(1, JOINTS)], center=0)
AUTHORS = dict(variant="authors")


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(
    ("options", "backbone", "common", "words"),
    [
        (dict(layout="coco"), {}, {}, ["backbone.A", "[3, 17, 17]", "[3, 20, 20]"]),
        (dict(layout=CHAIN), {}, {}, ["backbone.A", "other edges", "data_prep"]),
        (dict(layout=CHAIN), {}, AUTHORS, ["backbone.graph", "graph_cfg.layout"]),
        ({}, dict(num_person=2), {}, ["data_bn.weight", "[120]", "[60]", "num_person"]),
        ({}, dict(temporal="single"), {}, ["backbone", "only", "temporal"]),
        ({}, dict(num_stages=3), {}, ["net.2", "in the checkpoint only", "num_stages"]),
        ({}, AUTHORS, {}, ["backbone.variant='authors'", "another form"]),
        (dict(classes=7), {}, {}, ["cls_head.fc", "[7, 8]", "num_classes", "init_cfg"]),
    ],
)  # fmt: skip
def test_other_models_are_refused(
    options: dict, backbone: dict, common: dict, words: list[str], prefix: str
) -> None:
    own, other = _config(), _config(**options)
    own["backbone"].update(common)
    other["backbone"].update({**common, **backbone})
    target = _build(own)
    if prefix:
        target = torch.nn.ModuleDict({"module": target})
    state = {prefix + key: value for key, value in _build(other).state_dict().items()}
    with raises(ValueError, *words):
        target.load_state_dict(state, strict=False)


def test_testing_needs_no_text_model() -> None:
    code = f"""
import sys
sys.modules.update(transformers=None, open_clip=None)
import torch
import gap_mmaction
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
init_default_scope("mmaction")
model = MODELS.build({_config()!r}).eval()
model(torch.rand(1, 1, 1, 6, {JOINTS}, 3), mode="tensor")
    """
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=env)
