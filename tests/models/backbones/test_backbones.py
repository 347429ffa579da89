"""CTR-GCN and its baseline: golden files, training, state dicts and errors."""

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

from gap_mmaction.models import CTRGCN, CTRBaseline, convert_authors_state_dict
from gap_mmaction.models.backbones import ctrgcn
from gap_mmaction.skeletons import get_skeleton
from tests.models.backbones.common import (
    FORMS,
    KINDS,
    clips,
    compare,
    small,
    step,
)
from tests.models.golden import assert_output, load_golden
from tests.models.plain_gcn import PlainGCN

CONFIGS = Path(__file__).parents[3] / "configs" / "gap"


class TestGolden:
    """What public code computes from the same weights."""

    def test_mmaction2(self, shared: Path) -> None:
        arrays, state = load_golden(shared, "ctrgcn_mmaction2")
        model = CTRGCN(dict(layout="nturgb+d", mode="spatial"), base_channels=16)
        assert torch.equal(model.A, arrays["graph_A"])
        plain = PlainGCN("mmaction2", 25, 2, 16)
        for network in (model, plain):
            network.eval().load_state_dict(state, strict=True)
            with torch.no_grad():
                assert_output(network(arrays["input"]), arrays["output"])

    @pytest.mark.parametrize(
        ("file", "layout", "persons"),
        [
            ("ctrgcn_authors", "nturgb+d", 2),
            ("ctrgcn_authors_ucla", "nw-ucla", 1),
            ("baseline_authors", "nturgb+d", 2),
        ],
    )
    def test_authors(self, shared: Path, file: str, layout: str, persons: int) -> None:
        arrays, state = load_golden(shared, file)
        graph = dict(layout=layout)
        backbone: dict[str, Any] = dict(
            type="CTRBaseline", graph_cfg=graph, base_channels=16, num_person=persons
        )
        if file != "baseline_authors":
            backbone.update(type="CTRGCN", variant="authors")
            assert torch.equal(MODELS.build(backbone).net[0].gcn1.A, arrays["A"])
        head = dict(type="GCNHead", num_classes=10, in_channels=64)
        settings = dict(type="RecognizerGCN", backbone=backbone, cls_head=head)
        model = MODELS.build(settings).eval()
        model.load_state_dict(convert_authors_state_dict(state, recognizer=True))
        kind = file.partition("_")[0] if "baseline" in file else "authors"
        plain = PlainGCN(kind, get_skeleton(layout).num_joints, persons, 16).eval()
        plain.load_state_dict(convert_authors_state_dict(state))
        x = arrays["input"].permute(0, 4, 2, 3, 1)  # from [N, C, T, V, M]
        with torch.no_grad():
            feature = model.backbone(x)
            assert_output(feature, arrays["feature"])
            assert_output(model.cls_head(feature), arrays["logits"])
            assert_output(plain(x), arrays["feature"])


class TestTraining:
    """Outputs, statistics and gradients."""

    @pytest.mark.parametrize(
        ("kind", "temporal", "width"),
        # Four does not divide 18.
        [*[(*k, 16) for k in KINDS], ("mmaction2", "multi", 18)],
    )
    def test_like_plain(self, kind: str, temporal: str, width: int) -> None:
        model = small(kind, temporal, base_channels=width)
        stages: dict[str, Any] = dict(stages=4, inflate=[2, 4], down=[3, 4])
        plain = PlainGCN(kind, 5, 2, width, single=temporal == "single", **stages)
        state = model.state_dict()
        state.pop("graph", None)
        plain.double().load_state_dict(state)
        compare(step(model, clips()), step(plain, clips()))

    @pytest.mark.parametrize(("kind", "temporal"), KINDS)
    def test_two_forwards(self, kind: str, temporal: str) -> None:
        """Nothing that the backward pass needs is overwritten in place."""
        model, x = small(kind, temporal).eval(), clips(2, 8)
        once = step(model, x)
        model.zero_grad()
        first, second = model(x), model(x)
        kept = first.detach().clone()
        weight = torch.linspace(-1, 1, kept.numel(), dtype=kept.dtype).view_as(kept)
        (weight * (first + second)).sum().backward()
        assert torch.equal(first, kept) and torch.equal(first, second)
        for name, parameter in model.named_parameters():
            expected = 2 * once[f"gradient of {name}"]
            torch.testing.assert_close(parameter.grad, expected)

    def test_cpu_autocast(self) -> None:
        torch.manual_seed(0)
        model = CTRGCN(dict(layout="coco"), base_channels=16, num_person=1).eval()
        x = torch.randn(2, 1, 8, 17, 3)
        with torch.no_grad():
            expected = model(x)
            with torch.autocast("cpu", torch.bfloat16):
                actual = model(x)
        assert actual.dtype == torch.bfloat16
        assert (actual - expected).norm() < 0.02 * expected.norm()


class TestFreshModel:
    """Initialization and shapes."""

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
        settings: dict[str, Any] = dict(base_channels=8, num_stages=2)
        model = CTRGCN(dict(layout="coco"), **settings)
        baseline = CTRBaseline(dict(layout="coco"), **settings)
        eye = torch.eye(17).repeat(3, 1, 1)
        for network, topology in ((model, model.A), (baseline, eye)):
            for name, value in network.state_dict().items():
                if name.endswith("gcn1.alpha"):
                    assert value.item() == 0
                elif name.endswith("gcn1.bn.weight"):
                    torch.testing.assert_close(value, torch.full_like(value, 1e-6))
                elif name.endswith("gcn1.A"):
                    assert torch.equal(value, topology)

    @pytest.mark.parametrize(
        ("layout", "persons", "joints", "axes"),
        [("nturgb+d", 2, 25, 3), ("nw-ucla", 1, 20, 3), ("coco", 1, 17, 2)],
    )
    def test_shape(self, layout: str, persons: int, joints: int, axes: int) -> None:
        model = CTRGCN(dict(layout=layout), axes, 8, num_person=persons).eval()
        with torch.no_grad():
            out = model(torch.rand(2, persons, 12, joints, axes))
        assert out.shape == (2, persons, 32, 3, joints)
        assert model.out_channels == 32


class TestStateDict:
    """Names, and the authors' names."""

    @pytest.mark.parametrize("prefix", ["", "module."])
    def test_convert(self, prefix: str) -> None:
        value = torch.zeros(1)
        names = ["l1.gcn1.PA", "l10.tcn1.bn.weight", "data_bn.bias", "fc.weight"]
        extra = ["logit_scale", "part_list.0.weight", "head.ViT-B/32.positional"]
        state = {prefix + name: value for name in names + extra}
        ours = ["net.0.gcn1.A", "net.9.tcn1.bn.weight", "data_bn.bias"]
        assert list(convert_authors_state_dict(state)) == ours
        assert list(convert_authors_state_dict(state, recognizer=True)) == [
            *(f"backbone.{name}" for name in ours),
            "cls_head.fc.weight",
        ]

    def test_convert_something_else(self) -> None:
        with pytest.raises(ValueError, match=r"no key starts with 'l1\.'.*'conv\.w'"):
            convert_authors_state_dict({"conv.w": torch.zeros(1)})

    @pytest.mark.parametrize(("variant", "temporal"), FORMS)
    def test_forms(self, variant: str, temporal: str) -> None:
        names = list(small(variant, temporal).state_dict())
        assert ("A" in names, "graph" in names) == (
            variant == "mmaction2",
            variant == "authors",
        )
        assert any("branches" in name for name in names) == (temporal == "multi")


class TestErrors:
    """What a user may get wrong."""

    @pytest.mark.parametrize("key", ["variant", "temporal"])
    def test_unknown_form(self, key: str) -> None:
        with pytest.raises(ValueError, match=f"{key}='other' is unknown, use one of"):
            small(**{key: "other"} if key == "temporal" else {"kind": "other"})

    @pytest.mark.parametrize(
        ("graph", "message"),
        [
            (dict(layout="openpose"), "'openpose' is unknown; use one of .*'coco'"),
            (dict(layout="coco", mode="stgcn_spatial"), "mode is 'stgcn_spatial'"),
            (dict(mode="spatial"), "must have the key 'layout'"),
            (dict(layout="coco", max_hop=1), r"unknown: \['max_hop'\]"),
        ],
    )
    @pytest.mark.parametrize("kind", [CTRGCN, CTRBaseline])
    def test_graph(self, kind: type, graph: dict[str, str], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            kind(graph)

    @pytest.mark.parametrize("shape", [(1, 5, 3), (2, 6, 3), (2, 5, 2)])
    def test_other_data(self, shape: tuple[int, int, int]) -> None:
        m, v, c = shape
        with pytest.raises(ValueError) as error:
            small()(torch.rand(2, m, 8, v, c))
        for part in ("(2, 5, 3)", str(shape), "'custom'", "graph_cfg.layout"):
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
