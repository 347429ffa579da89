"""CTR-GCN: golden files, training, state dicts and errors."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn

from gap_mmaction.models import CTRGCN, convert_authors_state_dict
from gap_mmaction.models.backbones import ctrgcn
from gap_mmaction.skeletons import get_skeleton
from tests.models.backbones_common import (
    SMALL,
    SMALL_LAYOUT,
    SMALL_PLAIN,
    check_authors_golden,
    check_training,
    check_two_forwards,
)
from tests.models.golden import assert_output, load_golden
from tests.models.plain_gcn import PlainGCN

CONFIGS = Path(__file__).parents[3] / "configs" / "gap"


def _small(**kwargs: Any) -> CTRGCN:
    return CTRGCN(dict(layout=SMALL_LAYOUT), base_channels=16, **SMALL, **kwargs)


class TestGolden:
    """What public code computes from the same weights."""

    def test_mmaction2(self, shared: Path) -> None:
        arrays, state = load_golden(shared, "ctrgcn_mmaction2")
        model = CTRGCN(dict(layout="nturgb+d", mode="spatial"), base_channels=16)
        assert torch.equal(model.A, arrays["graph_A"])
        model.eval().load_state_dict(state, strict=True)
        plain = PlainGCN("mmaction2", 25, 2, 16).eval()
        plain.load_state_dict(state)
        with torch.no_grad():
            assert_output(model(arrays["input"]), arrays["output"])
            assert_output(plain(arrays["input"]), arrays["output"])

    @pytest.mark.parametrize(
        ("file", "layout", "persons"),
        [("ctrgcn_authors", "nturgb+d", 2), ("ctrgcn_authors_ucla", "nw-ucla", 1)],
    )
    def test_authors(self, shared: Path, file: str, layout: str, persons: int) -> None:
        joints = get_skeleton(layout).num_joints
        backbone = dict(
            type="CTRGCN",
            graph_cfg=dict(layout=layout),
            base_channels=16,
            num_person=persons,
            variant="authors",
        )
        plain = PlainGCN("authors", joints, persons, 16)
        check_authors_golden(shared, file, backbone, plain)
        arrays, _ = load_golden(shared, file)
        assert torch.equal(MODELS.build(backbone).net[0].gcn1.A, arrays["A"])


class TestTraining:
    """Outputs, statistics and gradients, compared with the plain statement."""

    @pytest.mark.parametrize("variant", ["mmaction2", "authors"])
    @pytest.mark.parametrize("temporal", ["multi", "single"])
    def test_like_plain(self, variant: str, temporal: str) -> None:
        model = _small(variant=variant, temporal=temporal)
        plain = PlainGCN(variant, width=16, single=temporal == "single", **SMALL_PLAIN)
        check_training(model, plain)

    @pytest.mark.parametrize("variant", ["mmaction2", "authors"])
    @pytest.mark.parametrize("temporal", ["multi", "single"])
    def test_two_forwards(self, variant: str, temporal: str) -> None:
        model = _small(variant=variant, temporal=temporal)
        check_two_forwards(model, torch.randn(2, 2, 8, 5, 3))

    def test_width_that_four_does_not_divide(self) -> None:
        model = CTRGCN(dict(layout=SMALL_LAYOUT), base_channels=18, **SMALL)
        check_training(model, PlainGCN("mmaction2", width=18, **SMALL_PLAIN))

    def test_cpu_autocast(self) -> None:
        torch.manual_seed(0)
        model = _small().eval()
        x = torch.randn(2, 2, 8, 5, 3)
        with torch.no_grad():
            expected = model(x)
            with torch.autocast("cpu", torch.bfloat16):
                actual = model(x)
        assert actual.dtype == torch.bfloat16
        assert (actual - expected).norm() < 0.02 * expected.norm()


class TestInitialization:
    """A fresh model."""

    @pytest.mark.parametrize("variant", ["mmaction2", "authors"])
    def test_residual_convolutions(self, variant: str) -> None:
        torch.manual_seed(0)
        model = CTRGCN(dict(layout="nturgb+d"), variant=variant)
        for block, width in ((4, 128), (7, 256)):
            conv = model.net[block].get_submodule("residual.conv")
            assert isinstance(conv, nn.Conv2d) and conv.bias is not None
            deviation = conv.weight.std().item()
            assert deviation == pytest.approx((2 / width) ** 0.5, rel=0.05)
            assert not conv.bias.any()

    def test_starts_as_residual_path(self) -> None:
        model = CTRGCN(dict(layout="coco"), base_channels=8, num_stages=2)
        for name, value in model.state_dict().items():
            if name.endswith("gcn1.alpha"):
                assert value.item() == 0
            elif name.endswith("gcn1.bn.weight"):
                torch.testing.assert_close(value, torch.full_like(value, 1e-6))
            elif name.endswith("gcn1.A"):
                assert torch.equal(value, model.A)

    @pytest.mark.parametrize(
        ("layout", "shape"),
        [("nturgb+d", (2, 25)), ("nw-ucla", (1, 20)), ("coco", (1, 17))],
    )
    def test_shape(self, layout: str, shape: tuple[int, int]) -> None:
        persons, joints = shape
        graph = dict(layout=layout)
        model = CTRGCN(graph, base_channels=8, num_person=persons).eval()
        with torch.no_grad():
            out = model(torch.rand(2, persons, 12, joints, 3))
        assert out.shape == (2, persons, 32, 3, joints)
        assert model.out_channels == 32

    def test_two_coordinates(self) -> None:
        graph = dict(layout="coco")
        model = CTRGCN(graph, in_channels=2, base_channels=8, num_person=1)
        assert model.eval()(torch.rand(1, 1, 8, 17, 2)).shape == (1, 1, 32, 2, 17)

    def test_single_scale_is_smaller(self) -> None:
        def size(temporal: str) -> int:
            model = _small(temporal=temporal)
            assert not any("branches" in name for name in model.state_dict()) or (
                temporal == "multi"
            )
            return sum(p.numel() for p in model.parameters())

        assert size("single") > size("multi")  # one full convolution over five frames


class TestStateDict:
    """Names, and the authors' names."""

    @pytest.mark.parametrize("prefix", ["", "module."])
    def test_convert(self, prefix: str) -> None:
        value = torch.zeros(1)
        names = ["l1.gcn1.PA", "l10.tcn1.bn.weight", "data_bn.bias", "fc.weight"]
        extra = ["logit_scale", "part_list.0.weight", "head.ViT-B/32.positional"]
        state = {prefix + name: value for name in names + extra}
        assert list(convert_authors_state_dict(state)) == [
            "net.0.gcn1.A",
            "net.9.tcn1.bn.weight",
            "data_bn.bias",
        ]
        assert list(convert_authors_state_dict(state, recognizer=True)) == [
            "backbone.net.0.gcn1.A",
            "backbone.net.9.tcn1.bn.weight",
            "backbone.data_bn.bias",
            "cls_head.fc.weight",
        ]

    def test_convert_something_else(self) -> None:
        with pytest.raises(ValueError, match=r"no key starts with 'l1\.'.*'conv\.w'"):
            convert_authors_state_dict({"conv.w": torch.zeros(1)})

    def test_authors_form_has_no_unused_buffer(self) -> None:
        assert "A" in _small().state_dict()
        assert "A" not in _small(variant="authors").state_dict()


class TestErrors:
    """What a user may get wrong."""

    @pytest.mark.parametrize("key", ["variant", "temporal"])
    def test_unknown_form(self, key: str) -> None:
        with pytest.raises(ValueError, match=f"{key}='other' is unknown, use one of"):
            _small(**{key: "other"})

    @pytest.mark.parametrize(
        ("graph", "message"),
        [
            (dict(layout="openpose"), "'openpose' is unknown; use one of .*'coco'"),
            (dict(layout="coco", mode="stgcn_spatial"), "mode is 'stgcn_spatial'"),
            (dict(mode="spatial"), "must have the key 'layout'"),
            (dict(layout="coco", max_hop=1), r"unknown: \['max_hop'\]"),
        ],
    )
    def test_graph(self, graph: dict[str, str], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            CTRGCN(graph)

    @pytest.mark.parametrize(
        "shape", [(2, 1, 8, 5, 3), (2, 2, 8, 6, 3), (2, 2, 8, 5, 2)]
    )
    def test_other_data(self, shape: tuple[int, ...]) -> None:
        _, m, _, v, c = shape
        with pytest.raises(ValueError) as error:
            _small()(torch.rand(shape))
        for part in ("(2, 5, 3)", str((m, v, c)), "'custom'", "graph_cfg.layout"):
            assert part in str(error.value)


def test_registered_class_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    class CTRGCN(nn.Module):
        """Stands in for the one of mmaction2's projects/ctrgcn."""

        def __init__(self, graph_cfg: dict) -> None:
            super().__init__()

    spec = importlib.util.spec_from_file_location(
        "gap_mmaction.models.backbones.again", str(ctrgcn.__file__)
    )
    assert spec is not None and spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, again)
    monkeypatch.setitem(MODELS.module_dict, "CTRGCN", CTRGCN)
    spec.loader.exec_module(again)
    assert MODELS.module_dict["CTRGCN"] is CTRGCN
    # It takes what mmaction2's family says, and of the paper's all but the form.
    stem = CONFIGS / "ctrgcn_ntu120"
    config = Config.fromfile(f"{stem}_mmaction2.py").model
    config.text_branch = None
    assert type(MODELS.build(config).backbone) is CTRGCN
    config.backbone = Config.fromfile(f"{stem}.py").model.backbone
    with pytest.raises(TypeError, match=r"variant: unknown to .*import gap_mmaction"):
        MODELS.build(config)
    monkeypatch.delitem(MODELS.module_dict, "CTRGCN")
    spec.loader.exec_module(again)
    assert MODELS.module_dict["CTRGCN"] is again.CTRGCN
