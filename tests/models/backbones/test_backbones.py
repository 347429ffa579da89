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
from tests.models.backbones.common import KINDS, clips, compare, small, step
from tests.models.golden import assert_output, load_golden
from tests.models.plain_gcn import PlainGCN

CONFIGS = Path(__file__).parents[3] / "configs" / "gap"


class TestGolden:
    """What public code computes from the same weights."""

    def test_mmaction2(self, golden_folder: Path) -> None:
        arrays, state = load_golden(golden_folder, "ctrgcn_mmaction2")
        model = CTRGCN(dict(layout="nturgb+d", mode="spatial"), base_channels=16)
        assert torch.equal(model.A, arrays["graph_A"])
        for network in (model, PlainGCN("mmaction2", 25, 2, 16)):
            network.eval().load_state_dict(state, strict=True)
            with torch.no_grad():
                assert_output(network(arrays["input"]), arrays["output"])

    @pytest.mark.parametrize(
        ("file", "kind", "layout", "persons"),
        [
            ("ctrgcn_authors", "authors", "nturgb+d", 2),
            ("ctrgcn_authors_ucla", "authors", "nw-ucla", 1),
            ("baseline_authors", "baseline", "nturgb+d", 2),
        ],
    )
    def test_authors(
        self, golden_folder: Path, file: str, kind: str, layout: str, persons: int
    ) -> None:
        arrays, state = load_golden(golden_folder, file)
        backbone: dict[str, Any] = dict(type="CTRBaseline", base_channels=16)
        backbone.update(graph_cfg=dict(layout=layout), num_person=persons)
        if kind == "authors":
            backbone.update(type="CTRGCN", variant="authors")
            assert torch.equal(MODELS.build(backbone).net[0].gcn1.A, arrays["A"])
        head = dict(type="GCNHead", num_classes=10, in_channels=64)
        settings = dict(type="RecognizerGCN", backbone=backbone, cls_head=head)
        model = MODELS.build(settings).eval()
        model.load_state_dict(convert_authors_state_dict(state, recognizer=True))
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
        for name, p in model.named_parameters():
            torch.testing.assert_close(p.grad, 2 * once[f"gradient of {name}"])

    def test_cpu_autocast(self) -> None:
        torch.manual_seed(0)
        model = CTRGCN(dict(layout="coco"), 2, 16, num_person=1).eval()
        x = torch.randn(2, 1, 8, 17, 2)
        with torch.no_grad():
            expected = model(x)
            with torch.autocast("cpu", torch.bfloat16):
                actual = model(x)
        assert actual.dtype == torch.bfloat16
        assert actual.shape == (2, 1, model.out_channels, 2, 17)
        assert (actual - expected).norm() < 0.02 * expected.norm()


def test_initialization() -> None:
    """A graph convolution starts as its residual path, a convolution as He et al.'s."""
    torch.manual_seed(0)
    model, baseline = (kind(dict(layout="coco")) for kind in (CTRGCN, CTRBaseline))
    eye = torch.eye(17).repeat(3, 1, 1)
    for network, topology in ((model, model.A), (baseline, eye)):
        for name, value in network.state_dict().items():
            if name.endswith("gcn1.alpha"):
                assert value.item() == 0
            elif name.endswith("gcn1.bn.weight"):
                torch.testing.assert_close(value, torch.full_like(value, 1e-6))
            elif name.endswith("gcn1.A"):
                assert torch.equal(value, topology)
            elif name.endswith("residual.conv.weight"):
                deviation = (2 / len(value)) ** 0.5
                assert value.std().item() == pytest.approx(deviation, rel=0.05)
            elif name.endswith("residual.conv.bias"):
                assert not value.any()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_convert(prefix: str) -> None:
    names = ["l1.gcn1.PA", "l10.tcn1.bn.weight", "data_bn.bias", "fc.weight"]
    names += ["logit_scale", "part_list.0.weight", "head.ViT-B/32.positional"]
    state = {prefix + name: torch.zeros(1) for name in names}
    ours = ["net.0.gcn1.A", "net.9.tcn1.bn.weight", "data_bn.bias"]
    assert list(convert_authors_state_dict(state)) == ours
    ours = [*(f"backbone.{name}" for name in ours), "cls_head.fc.weight"]
    assert list(convert_authors_state_dict(state, recognizer=True)) == ours
    with pytest.raises(ValueError, match=r"no key starts with 'l1\.'.*'conv\.w'"):
        convert_authors_state_dict({"conv.w": torch.zeros(1)})


class TestErrors:
    """What a user may get wrong."""

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

    def test_forms_and_data(self) -> None:
        for other in (dict(kind="other"), dict(temporal="other")):
            with pytest.raises(ValueError, match="='other' is unknown, use one of"):
                small(**other)
        for m, v, c in ((1, 5, 3), (2, 6, 3), (2, 5, 2)):
            with pytest.raises(ValueError, match=r"\(2, 5, 3\) \(layout 'custom'") as e:
                small()(torch.rand(2, m, 8, v, c))
            assert str((m, v, c)) in str(e.value)


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
