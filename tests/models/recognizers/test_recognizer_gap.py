"""The recognizer: a stock RecognizerGCN, and the text branch in training."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import textwrap
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


def _without_text(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v for k, v in state.items() if not k.startswith("text_branch.")}


def _save(model: Any, folder: Path) -> str:
    path = str(folder / "epoch_1.pth")
    save_checkpoint(dict(state_dict=model.state_dict(), meta={}), path)
    return path


class TestWithoutTextBranch:
    """Rule 1: without the text branch it is a RecognizerGCN."""

    def test_like_stock(self) -> None:
        model, stock = _build(_config()), _stock()
        assert type(stock).__name__ == "RecognizerGCN"
        assert list(model.state_dict()) == list(stock.state_dict())
        stock.load_state_dict(model.state_dict())
        losses, expected = _loss(model), _loss(stock)
        assert list(losses) == list(expected) == ["top1_acc", "top5_acc", "loss_cls"]
        for name, value in expected.items():
            assert torch.equal(losses[name], value)
        assert torch.equal(_scores(model), _scores(stock))

    def test_other_preprocessor_and_no_head(self) -> None:
        preprocessor = dict(type="ActionDataPreprocessor")
        config = {**_config(), "data_preprocessor": preprocessor, "cls_head": None}
        out, _ = _build(config).extract_feat(torch.rand(2, 1, 1, 6, JOINTS, 3))
        assert out.shape == (2, 1, 8, 6, JOINTS)


class TestTextBranch:
    """What the text branch adds."""

    def test_takes_what_others_know(self, file: str) -> None:
        config = _config(file)
        config["data_preprocessor"]["stream"] = "bone"
        branch = _build(config).text_branch
        assert isinstance(branch, TextBranch)
        assert branch.head.projections[0].in_features == 8
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
        self, file: str, part: str, change: dict[str, Any], words: str
    ) -> None:
        config = _config(file)
        config[part].update(change)
        with pytest.raises((TypeError, ValueError), match=words):
            _build(config)
        with pytest.raises(TypeError, match=r"model\.text_branch='None'"):
            _build({**_config(), "text_branch": "None"})

    @pytest.mark.parametrize("frozen", [False, True])
    def test_loss(self, file: str, frozen: bool) -> None:
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

    def test_several_classes_of_a_clip(self, file: str) -> None:
        data = _data()
        for sample in data["data_samples"]:
            sample.set_gt_label([1, 0, 1])
        model = _build(_config(file))
        with pytest.raises(ValueError, match=r"multi_class=True.*text_branch=None"):
            model(**model.data_preprocessor(data, True), mode="loss")

    def test_training_lowers_the_loss(self, file: str) -> None:
        model = _build(_config(file))
        wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1, momentum=0.9))
        values = [model.train_step(_data(), wrapper)["loss"] for _ in range(15)]
        assert values[-1] < 0.8 * values[0]
        assert model.text_branch.prompts.step == 15

    def test_testing_does_not_use_it(
        self, file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = _build(_config(file))
        expected = _scores(model)
        monkeypatch.setattr(TextBranch, "forward", None)
        assert torch.equal(_scores(model), expected)
        data = model.data_preprocessor(_data())
        assert model(data["inputs"], mode="tensor").shape == (5, 1, 8, 6, JOINTS)


class TestCheckpoints:
    """Rules 1 and 2: what is left without the prefix is a stock model's."""

    @pytest.mark.parametrize("strict", [False, True])
    def test_full_into_stock_and_plain(
        self, file: str, strict: bool, tmp_path: Path, capsys: pytest.CaptureFixture
    ) -> None:
        model = _build(_config(file))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.train_step(_data(), OptimWrapper(optimizer))
        expected, path, stock = _scores(model), _save(model, tmp_path), _stock()
        assert set(_without_text(model.state_dict())) == set(stock.state_dict())
        stock.load_state_dict(_without_text(model.state_dict()), strict=True)
        assert torch.equal(_scores(stock), expected)
        load_checkpoint(_stock(), path, map_location="cpu")  # as mmaction2's test.py
        capsys.readouterr()
        plain = _build(_config())
        # With strict, an unexpected key is an error.
        load_checkpoint(plain, path, map_location="cpu", strict=strict)
        assert "unexpected key" not in "".join(capsys.readouterr())
        assert torch.equal(_scores(plain), expected)
        state = model.state_dict()
        plain.load_state_dict(state, strict=True)
        assert any(key.startswith("text_branch.") for key in state)
        wrapper = torch.nn.Module()
        wrapper.add_module("module", plain)
        wrapper.load_state_dict({f"module.{k}": v for k, v in state.items()})

    def test_into_full(self, file: str) -> None:
        model, other = _build(_config(file)), _build(_config(file))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1)
        other.load_state_dict(model.state_dict(), strict=True)
        torch.testing.assert_close(dict(other.state_dict()), dict(model.state_dict()))
        # A plain one leaves the text branch as it is.
        result = model.load_state_dict(_build(_config()).state_dict(), strict=False)
        assert not result.unexpected_keys
        assert all(key.startswith("text_branch.") for key in result.missing_keys)

    def test_other_keys(self) -> None:
        model = _build(_config())
        state = model.state_dict()
        with pytest.raises(RuntimeError, match=r"Unexpected key.*neck\.weight"):
            model.load_state_dict({**state, "neck.weight": torch.zeros(1)})
        # A backbone alone is welcome.
        alone = {k: v for k, v in state.items() if "cls_head" not in k}
        model.load_state_dict(alone, strict=False)

    def test_remedy_for_the_backbone_alone(self, tmp_path: Path) -> None:
        other = _build(_config(classes=7))
        with torch.no_grad():
            other.backbone.data_bn.weight.fill_(3)
        init_cfg = dict(type="Pretrained", checkpoint=_save(other, tmp_path))
        config = _config()
        config["backbone"]["init_cfg"] = dict(init_cfg, prefix="backbone.")
        assert (_build(config).backbone.data_bn.weight == 3).all()


CHAIN = dict(num_node=JOINTS, inward=[(i, i - 1) for i in range(1, JOINTS)], center=0)
AUTHORS = dict(variant="authors")
HEAD = "cls_head.fc.weight"
NORM = "backbone.data_bn.weight"


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(
    ("options", "backbone", "common", "words"),
    [
        (dict(layout="coco"), {}, {}, ["backbone.A", "[3, 17, 17]", "[3, 20, 20]"]),
        (dict(layout=CHAIN), {}, {}, ["backbone.A", "other edges", "data_prep"]),
        (dict(layout=CHAIN), {}, AUTHORS, ["backbone.graph", "graph_cfg.layout"]),
        (dict(layout="coco"), AUTHORS, {}, [NORM, "[51]", "[60]", "num_person"]),
        ({}, dict(num_person=2), {}, [NORM, "[120]", "[60]", "num_person"]),
        ({}, dict(temporal="single"), {}, ["backbone", "only", "temporal"]),
        ({}, dict(num_stages=3), {}, ["net.2", "in the checkpoint only", "num_stages"]),
        ({}, dict(type="CTRBaseline"), {}, ["backbone", "only", "type"]),
        ({}, dict(base_channels=16), {}, [HEAD, "[3, 16]", "[3, 8]"]),
        ({}, AUTHORS, {}, ["backbone.variant='authors'", "another form"]),
        ({}, dict(variant="mmaction2"), AUTHORS, ["backbone.variant='mmaction2'"]),
        (dict(classes=7), {}, {}, [HEAD, "[7, 8]", "num_classes", "init_cfg"]),
    ],
)  # fmt: skip
def test_other_models_are_refused(
    options: dict, backbone: dict, common: dict, words: list[str], prefix: str
) -> None:
    own, other = _config(), _config(**options)
    own["backbone"].update(common)
    other["backbone"].update({**common, **backbone})
    other["cls_head"]["in_channels"] = backbone.get("base_channels", 8)
    model = target = _build(own)
    if prefix:
        target = torch.nn.Module()
        target.add_module("module", model)
    state = {prefix + key: value for key, value in _build(other).state_dict().items()}
    with raises(ValueError, *words):
        target.load_state_dict(state, strict=False)


def test_other_models_are_refused_by_mmengine(tmp_path: Path) -> None:
    # It only logs such tensors and goes on.
    path = _save(_build(_config(layout="coco")), tmp_path)
    with pytest.raises(ValueError, match=r"backbone\.A"):
        load_checkpoint(_build(_config()), path, map_location="cpu")


def test_testing_imports_no_text_model() -> None:
    # MMEngine itself tries to import transformers, for its optimizers.
    code = f"""
        import sys
        import torch

        asked = []
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name in ("transformers", "open_clip"):
                    asked.append(name)
                    raise ModuleNotFoundError(f"{{name}} is kept away")
        sys.meta_path.insert(0, Absent())
        import mmengine.optim
        asked.clear()
        import gap_mmaction
        from mmaction.registry import MODELS
        from mmengine.registry import init_default_scope
        init_default_scope("mmaction")
        model = MODELS.build({_config()!r}).eval()
        model(torch.rand(1, 1, 1, 6, {JOINTS}, 3), mode="tensor")
        print("asked for:", asked)
    """
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    assert "asked for: []" in result.stdout
