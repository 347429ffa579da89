"""CTR-GCN and its baseline: golden files, training, forms, state dicts, errors."""

from __future__ import annotations

import copy
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gap_mmaction.models import CTRGCN, CTRBaseline, convert_authors_state_dict
from gap_mmaction.models.backbones import ctrgcn, forms, plain_path
from gap_mmaction.models.backbones.cpu import temporal_conv
from gap_mmaction.models.backbones.forms import Form, choose_form
from gap_mmaction.skeletons import get_skeleton
from tests.models import golden
from tests.models.golden import assert_output, clips, compare, load_golden, small, step
from tests.models.plain_gcn import PlainGCN

CONFIGS = Path(__file__).parents[3] / "configs" / "gap"


def test_golden_of_mmaction2(golden_folder: Path) -> None:
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
def test_golden_of_authors(
    golden_folder: Path, file: str, kind: str, layout: str, persons: int
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


@pytest.mark.parametrize(
    ("kind", "temporal", "width"),
    # Four does not divide 18.
    [*[(*k, 16) for k in golden.KINDS], ("mmaction2", "multi", 18)],
)
def test_like_plain(kind: str, temporal: str, width: int) -> None:
    model = small(kind, temporal, base_channels=width)
    stages: dict[str, Any] = dict(stages=4, inflate=[2, 4], down=[3, 4])
    plain = PlainGCN(kind, 5, 2, width, single=temporal == "single", **stages)
    state = model.state_dict()
    state.pop("graph", None)
    plain.double().load_state_dict(state)
    compare(step(model, clips()), step(plain, clips()))


@pytest.mark.parametrize(("kind", "temporal"), golden.KINDS)
def test_two_forwards(kind: str, temporal: str) -> None:
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


def test_initialization() -> None:
    """A graph convolution starts as its residual path, a convolution as He et al.'s."""
    torch.manual_seed(0)
    model, baseline = (kind(dict(layout="coco")) for kind in (CTRGCN, CTRBaseline))
    eye = torch.eye(17).repeat(3, 1, 1)
    for network, topology in ((model, model.A), (baseline, eye)):
        for name, value in network.state_dict().items():
            if name.endswith(("gcn1.alpha", "residual.conv.bias")):
                assert not value.any()
            elif name.endswith("gcn1.bn.weight"):
                torch.testing.assert_close(value, torch.full_like(value, 1e-6))
            elif name.endswith("gcn1.A"):
                assert torch.equal(value, topology)
            elif name.endswith("residual.conv.weight"):
                deviation = (2 / len(value)) ** 0.5
                assert value.std().item() == pytest.approx(deviation, rel=0.05)
            elif "conv_d" in name and value.ndim > 1:
                deviation = (2 / (3 * value.numel())) ** 0.5  # "branch" of three
                assert value.std().item() == pytest.approx(deviation, rel=0.15)


@pytest.mark.parametrize("in_channels", [2, 3, 4, 9])
def test_relations_of_few_channels(in_channels: int) -> None:
    """The authors' code has 8 with 3 and 9 channels, and would have none with 2, 4."""
    model = CTRGCN(dict(layout="coco"), in_channels, variant="authors", num_stages=1)
    convolution = next(v for k, v in model.state_dict().items() if "conv1.weight" in k)
    assert convolution.shape[:2] == (8, in_channels)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_convert(prefix: str) -> None:
    names = "l1.gcn1.PA l10.tcn1.bn.weight data_bn.bias fc.weight logit_scale "
    names += "part_list.0.weight head.ViT-B/32.positional"
    state = {prefix + name: torch.zeros(1) for name in names.split()}
    ours = ["net.0.gcn1.A", "net.9.tcn1.bn.weight", "data_bn.bias"]
    assert list(convert_authors_state_dict(state)) == ours
    ours = [*(f"backbone.{name}" for name in ours), "cls_head.fc.weight"]
    assert list(convert_authors_state_dict(state, recognizer=True)) == ours
    with pytest.raises(ValueError, match=r"no key starts with 'l1\.'.*'conv\.w'"):
        convert_authors_state_dict({"conv.w": torch.zeros(1)})


def test_arguments_and_data() -> None:
    for graph, message in (
        (dict(layout="coco", mode="stgcn_spatial"), "mode is 'stgcn_spatial'"),
        (dict(mode="spatial"), "must have the key 'layout'"),
        (dict(layout="coco", max_hop=1), r"unknown: \['max_hop'\]"),
    ):
        with pytest.raises(ValueError, match=message):
            CTRGCN(graph)
    for other in (dict(kind="other"), dict(temporal="other")):
        with pytest.raises(ValueError, match="='other' is unknown, use one of"):
            small(**other)
    for m, v, c in ((1, 5, 3), (2, 6, 3), (2, 5, 2)):
        with pytest.raises(ValueError, match=r"\(2, 5, 3\) \(layout 'custom'") as e:
            small()(torch.rand(2, m, 8, v, c))
        assert str((m, v, c)) in str(e.value)


def test_registered_class_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    class CTRGCN(nn.Module):  # stands in for the one of mmaction2's projects/ctrgcn
        def __init__(self, graph_cfg: dict) -> None:
            super().__init__()

    name = "gap_mmaction.models.backbones.again"
    spec = importlib.util.spec_from_file_location(name, str(ctrgcn.__file__))
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


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[Form]:
    """The forms that were chosen, one after the other."""
    of_units: list[Form] = []

    def spy(*args: Any) -> Form:
        of_units.append(choose_form(*args))
        return of_units[-1]

    monkeypatch.setattr(forms, "choose_form", spy)
    return of_units


def plain(function: Callable[..., Any], *args: Any) -> Any:
    with plain_path():
        return function(*args)


def norms_of(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize(("variant", "temporal"), golden.FORMS)
@pytest.mark.parametrize(("n", "t"), [(3, 11), (1, 6), (2, 1)])
def test_forms_are_equal(
    variant: str, temporal: str, n: int, t: int, chosen: list[Form]
) -> None:
    model, x = small(variant, temporal).eval(), clips(n, t)
    with torch.no_grad():
        out = model(x)
        assert set(chosen) == {Form.INFERENCE}
        compare(dict(out=out), dict(out=plain(model, x)))
    model.train(n > 1)
    for norm in norms_of(model) if n == 1 else []:  # those of the batch it is then
        norm.running_mean = norm.running_var = None
    other = copy.deepcopy(model)
    chosen.clear()
    results = step(model, x)
    assert set(chosen) == {Form.TRAINING}
    compare(results, plain(step, other, x))
    assert chosen[-1] is Form.PLAIN


@pytest.mark.parametrize(("variant", "temporal"), golden.FORMS)
def test_joined_form(
    variant: str, temporal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of a GPU, as a CPU computes it."""
    model, x = small(variant, temporal), clips(3, 11)
    expected = plain(step, copy.deepcopy(model), x)

    def joined(unit: nn.Module, x: Tensor) -> Form:
        return Form.JOINED if type(unit) in forms.JOINED else Form.PLAIN

    monkeypatch.setattr(forms, "choose_form", joined)
    results = step(model, x)
    assert all(p.grad is not None for p in model.parameters())
    compare(results, expected)


def test_autocast_casts_together() -> None:
    model, x = small().float(), clips(3, 11).float()
    expected = step(copy.deepcopy(model), x)
    with torch.autocast("cpu", torch.bfloat16):
        for name, value in ctrgcn.cast_together(model.net, torch.bfloat16).items():
            parameter = model.net.get_parameter(name)
            assert torch.equal(value, parameter.bfloat16())
        results = step(model, x)
    names = [name for name in expected if name.startswith("gradient")]
    found, value = (
        torch.cat([of[name].float().flatten() for name in names])
        for of in (results, expected)
    )
    assert (found - value).norm() < 0.3 * value.norm()


def test_rows_that_do_not_lie_side_by_side() -> None:
    block = small().net[1]
    other = copy.deepcopy(block)
    x = torch.randn(3, 16, 6, 5, dtype=torch.float64).transpose(2, 3)
    compare(step(block, x), plain(step, other, x))


@pytest.mark.parametrize("stride", [1, 2])
def test_first_of_equal_frames(stride: int) -> None:
    """Like PyTorch's max-pooling, for numbers without rounding."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randint(1, 4, (2, 12, 5, 9), generator=generator).double()
    hidden.requires_grad_()
    shapes = [(2, 16, 5, 9), (4, 16), (4, 4, 5, 1), (4, 4, 5, 1)]
    x, last, *weights = (torch.rand(s, dtype=torch.float64) for s in shapes)
    args = (hidden, x, temporal_conv.kernel_matrices(weights), last, stride)
    out = temporal_conv.TemporalBranches.apply(*args)[:, 8:12]
    expected = nn.functional.max_pool2d(hidden[:, 8:], (1, 3), (1, stride), (0, 1))
    assert torch.equal(out, expected)
    grad = torch.rand_like(out)
    actual = torch.autograd.grad(out, hidden, grad)
    torch.testing.assert_close(actual, torch.autograd.grad(expected, hidden, grad))


def test_statistics_over_steps() -> None:
    model = small()
    for norm in norms_of(model)[::2]:
        norm.momentum = None  # type: ignore[assignment]
    other = copy.deepcopy(model)
    with torch.no_grad():
        model.eval()(clips())
    model.train()
    for seed in range(3):
        model(clips() + seed)
        plain(other, clips() + seed)
    compare(model.state_dict(), other.state_dict())
    with torch.no_grad():
        # Nothing is remembered of other weights, swapped in as averaged ones are.
        for one, two in zip(model.parameters(), other.parameters()):
            one.data = two.data = 1.1 * one.data
        out = plain(other.eval(), clips())
        compare(dict(out=model.eval()(clips())), dict(out=out))


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing(reentrant: bool) -> None:
    model, x = small(), clips().requires_grad_()
    other = copy.deepcopy(model)
    model(x).sum().backward()
    checkpoint(other, x, use_reentrant=reentrant).sum().backward()
    for p, q in zip(model.parameters(), other.parameters()):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-9, atol=1e-9)


def test_choice(chosen: list[Form], monkeypatch: pytest.MonkeyPatch) -> None:
    def choices(model: nn.Module, x: Tensor) -> set[Form]:
        chosen.clear()
        model(x)
        return set(chosen)

    model, x = small().eval(), clips()
    assert choices(model, x) == {Form.PLAIN}
    model.requires_grad_(False)
    assert choices(model, x) == {Form.INFERENCE}
    assert choices(model, clips().requires_grad_()) == {Form.PLAIN}
    # A normalization that is frozen, or converted.
    model = small()
    for norm in norms_of(model):
        norm.eval()
    assert choices(model, x) == {Form.PLAIN}
    with torch.no_grad():
        converted = nn.SyncBatchNorm.convert_sync_batchnorm(small()).eval()
        assert choices(converted, x) == {Form.PLAIN}
    with torch.autocast("cpu", torch.bfloat16):
        assert choices(small().float(), x.float()) == {Form.JOINED}
        assert choices(small().float().eval(), x.float()) == {Form.PLAIN}
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert choices(small(), x) == {Form.PLAIN}


def test_merged_normalization_and_hook(chosen: list[Form]) -> None:
    model: Any = small().eval()
    seen: list[bool] = []
    first, second = (model.net[i].tcn1.branches[0] for i in (1, 2))
    first[1] = nn.Identity()
    second[1].register_forward_hook(lambda *_: seen.append(True))
    with torch.no_grad():
        model(clips())
    assert chosen.count(Form.PLAIN) == 2 and seen == [True]


def test_compiled() -> None:
    model = small(num_stages=2, inflate_stages=[2], down_stages=[2])
    expected = step(copy.deepcopy(model), clips())
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    results = step(compiled, clips())
    compare({k.replace("_orig_mod.", ""): v for k, v in results.items()}, expected)


def test_second_derivative() -> None:
    model, x = small(), clips(2, 4).requires_grad_()
    with pytest.raises(RuntimeError, match=r"twice .*plain_path\(\)"):
        torch.autograd.grad(model(x).sum(), x, create_graph=True)
    with plain_path():
        (grad,) = torch.autograd.grad(model(x).square().sum(), x, create_graph=True)
    grad.square().sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
