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

from gap_mmaction.models import RecognizerGAP, TextBranch
from tests.models.text_common import write_descriptions

LAYOUT = "nw-ucla"
JOINTS = 20


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write_descriptions(tmp_path)


def _config(file: str | None = None, **options: Any) -> dict[str, Any]:
    """A small model, with a text branch if there is a description file."""
    layout = options.pop("layout", LAYOUT)
    classes = options.pop("num_classes", 3)
    branch = dict(
        prompts=dict(descriptions=file),
        encoder=dict(type="EmbeddingTextEncoder", frozen=options.pop("frozen", False)),
    )
    return dict(
        type="RecognizerGAP",
        data_preprocessor=dict(type="SkeletonDataPreprocessor", layout=layout),
        backbone=dict(
            type="CTRGCN",
            graph_cfg=dict(layout=layout),
            base_channels=8,
            num_stages=2,
            num_person=1,
        ),
        cls_head=dict(type="GCNHead", num_classes=classes, in_channels=8),
        text_branch=branch if file else None,
        **options,
    )


def _build(config: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(config))
    model.init_weights()
    return model


def _stock(config: dict[str, Any]) -> Any:
    config = {**config, "type": "RecognizerGCN"}
    config.pop("text_branch")
    return _build(config)


def _data(joints: int = JOINTS) -> dict[str, list]:
    torch.manual_seed(1)
    return dict(
        inputs=[torch.randn(1, 1, 6, joints, 3) for _ in range(5)],
        data_samples=[ActionDataSample().set_gt_label(i % 3) for i in range(5)],
    )


def _loss(model: Any) -> dict[str, Tensor]:
    data = model.data_preprocessor(_data(), training=True)
    return model(**data, mode="loss")


def _scores(model: Any) -> Tensor:
    model.eval()
    with torch.no_grad():
        return torch.stack([out.pred_score for out in model.test_step(_data())])


class TestWithoutTextBranch:
    """Rule 1: without the text branch it is a RecognizerGCN."""

    def test_like_stock(self) -> None:
        model, stock = _build(_config()), _stock(_config())
        assert type(stock).__name__ == "RecognizerGCN"
        assert list(model.state_dict()) == list(stock.state_dict())
        stock.load_state_dict(model.state_dict())
        losses, expected = _loss(model), _loss(stock)
        assert list(losses) == list(expected) == ["top1_acc", "top5_acc", "loss_cls"]
        for name, value in expected.items():
            assert torch.equal(losses[name], value)
        assert torch.equal(_scores(model), _scores(stock))

    def test_other_preprocessor_and_no_head(self) -> None:
        config = _config()
        config["data_preprocessor"] = dict(type="ActionDataPreprocessor")
        config["cls_head"] = None
        model = _build(config)
        out, _ = model.extract_feat(torch.rand(2, 1, 1, 6, JOINTS, 3))
        assert out.shape == (2, 1, 8, 6, JOINTS)


class TestTextBranch:
    """What the text branch adds."""

    def test_keys_have_the_prefix(self, file: str) -> None:
        plain = _build(_config()).state_dict()
        state = _build(_config(file)).state_dict()
        extra = set(state) - set(plain)
        assert extra and all(key.startswith("text_branch.") for key in extra)
        assert set(plain) <= set(state)

    def test_takes_what_others_know(self, file: str) -> None:
        config = _config(file)
        config["data_preprocessor"]["stream"] = "bone"
        branch = _build(config).text_branch
        assert isinstance(branch, TextBranch)
        assert branch.head.projections[0].in_features == 8
        assert branch.head.pooling.shape == (JOINTS, 5)

    def test_own_arguments_win(self, file: str) -> None:
        config = _config(file)
        config["text_branch"].update(layout="nturgb+d", num_classes=None)
        config["cls_head"]["num_classes"] = 4
        assert _build(config).text_branch.head.pooling.shape == (25, 5)

    def test_keys_are_checked(self, file: str) -> None:
        config = _config(file)
        config["text_branch"]["feature"] = "x"
        message = r"model\.text_branch: unknown key 'feature' \(did you mean 'features'"
        with pytest.raises(TypeError, match=message):
            _build(config)

    def test_width_is_checked(self) -> None:
        config = _config()
        config["backbone"]["base_channels"] = 16
        with pytest.raises(ValueError, match=r"set model\.cls_head\.in_channels=16"):
            _build(config)

    def test_class_count_is_checked(self, file: str) -> None:
        with pytest.raises(ValueError, match=r"describes 3 classes, .*num_classes=4"):
            _build(_config(file, num_classes=4))

    @pytest.mark.parametrize("frozen", [False, True])
    def test_loss(self, file: str, frozen: bool) -> None:
        model = _build(_config(file, frozen=frozen))
        losses = _loss(model)
        parts = ["global", "head", "hand", "hip", "foot"]
        names = ["top1_acc", "top5_acc", "loss_cls", "loss_con"]
        assert list(losses) == names + [f"con_{part}" for part in parts]
        total, log = model.parse_losses(losses)
        # The parts are logged, not added.
        torch.testing.assert_close(total, losses["loss_cls"] + losses["loss_con"])
        assert set(log) == {"loss", *losses}
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

    def test_text_reaches_the_backbone(self, file: str) -> None:
        model = _build(_config(file))
        _loss(model)["loss_con"].backward()
        assert model.backbone.data_bn.weight.grad.abs().sum() > 0
        assert model.cls_head.fc.weight.grad is None

    def test_training_lowers_the_loss(self, file: str) -> None:
        model = _build(_config(file))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        wrapper = OptimWrapper(optimizer)
        values = [model.train_step(_data(), wrapper)["loss"] for _ in range(15)]
        assert values[-1] < 0.8 * values[0]
        assert model.text_branch.prompts.step == 15

    def test_testing_does_not_use_it(
        self, file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = _build(_config(file))
        expected = _scores(model)

        def fail(*args: Any, **kwargs: Any) -> None:
            raise AssertionError("the text branch is used in a test")

        monkeypatch.setattr(TextBranch, "forward", fail)
        assert torch.equal(_scores(model), expected)
        data = model.data_preprocessor(_data())
        assert model(data["inputs"], mode="tensor").shape == (5, 1, 8, 6, JOINTS)


class TestCheckpoints:
    """Rules 1 and 2: what is left without the prefix is a stock model's."""

    def test_stripped_fits_stock(self, file: str) -> None:
        model = _build(_config(file))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.train_step(_data(), OptimWrapper(optimizer))
        stripped = {
            key: value
            for key, value in model.state_dict().items()
            if not key.startswith("text_branch.")
        }
        stock = _stock(_config())
        stock.load_state_dict(stripped, strict=True)
        assert torch.equal(_scores(stock), _scores(model))

    @pytest.mark.parametrize("strict", [False, True])
    def test_full_into_plain(
        self, file: str, strict: bool, tmp_path: Path, capsys: pytest.CaptureFixture
    ) -> None:
        model = _build(_config(file))
        path = str(tmp_path / "epoch_1.pth")
        save_checkpoint(dict(state_dict=model.state_dict(), meta={}), path)
        stock = _stock(_config())
        load_checkpoint(stock, path, map_location="cpu")  # as mmaction2's tools/test.py
        assert torch.equal(_scores(stock), _scores(model))
        capsys.readouterr()
        plain = _build(_config())
        # With strict, an unexpected key is an error.
        load_checkpoint(plain, path, map_location="cpu", strict=strict)
        assert "unexpected key" not in "".join(capsys.readouterr())
        assert torch.equal(_scores(plain), _scores(model))
        state = model.state_dict()
        plain.load_state_dict(state, strict=True)
        assert any(key.startswith("text_branch.") for key in state)

    def test_full_into_full(self, file: str) -> None:
        model, other = _build(_config(file)), _build(_config(file))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1)
        other.load_state_dict(model.state_dict(), strict=True)
        for name, value in model.state_dict().items():
            assert torch.equal(other.state_dict()[name], value)

    def test_plain_into_full_leaves_the_text_branch(self, file: str) -> None:
        model = _build(_config(file))
        result = model.load_state_dict(_build(_config()).state_dict(), strict=False)
        assert not result.unexpected_keys
        assert all(key.startswith("text_branch.") for key in result.missing_keys)

    def test_other_unexpected_keys_are_still_reported(self) -> None:
        model = _build(_config())
        state = {**model.state_dict(), "neck.weight": torch.zeros(1)}
        with pytest.raises(RuntimeError, match=r"Unexpected key.*neck\.weight"):
            model.load_state_dict(state)

    def test_inside_a_wrapper(self, file: str) -> None:
        wrapper = torch.nn.Module()
        wrapper.add_module("module", _build(_config()))
        state = {
            f"module.{k}": v for k, v in _build(_config(file)).state_dict().items()
        }
        assert not wrapper.load_state_dict(state).unexpected_keys


class TestOtherCheckpoints:
    """A checkpoint of another layout or number of classes."""

    @staticmethod
    def _check(model: RecognizerGAP, other: Any, words: list[str]) -> None:
        for prefix in ("", "module."):
            state = {prefix + k: v for k, v in other.state_dict().items()}
            target: torch.nn.Module = model
            if prefix:
                target = torch.nn.Module()
                target.add_module("module", model)
            with pytest.raises(ValueError) as error:
                target.load_state_dict(state, strict=False)
            for word in words:
                assert word in str(error.value)

    def test_layout(self, tmp_path: Path) -> None:
        other = _build(_config(layout="coco"))
        model = _build(_config())
        words = ["backbone.A", "[3, 17, 17]", "[3, 20, 20]", "graph_cfg.layout"]
        self._check(model, other, words)
        # MMEngine only logs such tensors and goes on.
        path = str(tmp_path / "epoch_1.pth")
        save_checkpoint(dict(state_dict=other.state_dict(), meta={}), path)
        with pytest.raises(ValueError, match=r"backbone\.A"):
            load_checkpoint(model, path, map_location="cpu")

    def test_layout_with_as_many_joints(self) -> None:
        chain = dict(num_node=20, inward=[(i, i - 1) for i in range(1, 20)], center=0)
        other = _build(_config(layout=chain))
        words = ["backbone.A", "other edges", "graph_cfg.layout", "data_preprocessor"]
        self._check(_build(_config()), other, words)

    def test_layout_with_as_many_joints_in_the_authors_form(self) -> None:
        chain = dict(num_node=20, inward=[(i, i - 1) for i in range(1, 20)], center=0)
        configs = [_config(), _config(layout=chain)]
        for config in configs:
            config["backbone"]["variant"] = "authors"
        model, other = map(_build, configs)
        self._check(model, other, ["backbone.graph", "other edges", "graph_cfg.layout"])

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (dict(temporal="single"), ["backbone", "only", "temporal"]),
            (dict(num_stages=3), ["net.2", "in the checkpoint only", "num_stages"]),
            (dict(type="CTRBaseline"), ["backbone", "only", "type"]),
            (dict(base_channels=16), ["base_channels", "16", "8"]),
        ],
    )
    def test_backbone(self, change: dict[str, Any], words: list[str]) -> None:
        config = _config()
        config["backbone"].update(change)
        if "base_channels" in change:
            config["cls_head"]["in_channels"] = 16
            words = ["cls_head.fc.weight", "[3, 16]", "[3, 8]"]
        self._check(_build(_config()), _build(config), words)

    def test_backbone_alone_is_welcome(self) -> None:
        other = _build(_config())
        state = {k: v for k, v in other.state_dict().items() if "cls_head" not in k}
        _build(_config()).load_state_dict(state, strict=False)

    def test_layout_without_a_graph_in_the_state(self) -> None:
        config = _config(layout="coco")
        config["backbone"]["variant"] = "authors"
        words = ["backbone.data_bn.weight", "[51]", "[60]", "num_person"]
        self._check(_build(_config()), _build(config), words)

    def test_persons(self) -> None:
        config = _config()
        config["backbone"]["num_person"] = 2
        words = ["backbone.data_bn.weight", "[120]", "[60]", "num_person"]
        self._check(_build(_config()), _build(config), words)

    def test_classes(self) -> None:
        other = _build(_config(num_classes=7))
        words = [
            "cls_head.fc.weight",
            "[7, 8]",
            "[3, 8]",
            "cls_head.num_classes",
            "backbone.init_cfg",
        ]
        self._check(_build(_config()), other, words)

    @pytest.mark.parametrize("variant", ["mmaction2", "authors"])
    def test_variant(self, variant: str) -> None:
        config = _config()
        config["backbone"]["variant"] = variant
        other_variant = {"mmaction2": "authors", "authors": "mmaction2"}[variant]
        other = copy.deepcopy(config)
        other["backbone"]["variant"] = other_variant
        words = [f"backbone.variant={other_variant!r}", "another form"]
        self._check(_build(config), _build(other), words)

    def test_remedy_for_the_backbone_alone(self, tmp_path: Path) -> None:
        other = _build(_config(num_classes=7))
        path = str(tmp_path / "epoch_1.pth")
        save_checkpoint(dict(state_dict=other.state_dict(), meta={}), path)
        config = _config()
        config["backbone"]["init_cfg"] = dict(
            type="Pretrained", checkpoint=path, prefix="backbone."
        )
        with torch.no_grad():
            other.backbone.data_bn.weight.fill_(3)
        save_checkpoint(dict(state_dict=other.state_dict(), meta={}), path)
        assert (_build(config).backbone.data_bn.weight == 3).all()


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
