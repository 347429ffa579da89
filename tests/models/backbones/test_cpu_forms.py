"""The forms of CTR-GCN's units: equal, never out of date, and chosen where they fit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gap_mmaction.models.backbones.cpu import forms, plain_path
from gap_mmaction.models.backbones.cpu.forms import Form, apply_function, choose_form
from gap_mmaction.models.backbones.cpu.graph_conv import GraphProduct
from gap_mmaction.models.backbones.cpu.temporal_conv import (
    TemporalBranches,
    kernel_matrices,
)
from tests.models.backbones.common import FORMS, clips, compare, small, step

Chosen = list[Form]
HEAD = "net.1.tcn1.branches.0."


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """The forms that were chosen, one after the other."""
    of_units: Chosen = []

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


class TestEqual:
    """What the forms compute."""

    @pytest.mark.parametrize(("variant", "temporal"), FORMS)
    @pytest.mark.parametrize(("n", "t"), [(3, 11), (1, 6), (2, 1)])
    def test_training(
        self, variant: str, temporal: str, n: int, t: int, chosen: Chosen
    ) -> None:
        model = small(variant, temporal).train(n > 1)
        for norm in norms_of(model) if n == 1 else []:  # those of the batch it is then
            norm.running_mean = norm.running_var = None
        other = copy.deepcopy(model)
        results = step(model, clips(n, t))
        assert set(chosen) == {Form.TRAINING}
        compare(results, plain(step, other, clips(n, t)))
        assert chosen[-1] is Form.PLAIN
        # A normalization cancels the bias before it.
        if temporal == "multi":
            assert not results[f"gradient of {HEAD}0.bias"].any()

    @pytest.mark.parametrize(("variant", "temporal"), FORMS)
    @pytest.mark.parametrize(("n", "t"), [(3, 11), (1, 6), (1, 1)])
    def test_inference(
        self, variant: str, temporal: str, n: int, t: int, chosen: Chosen
    ) -> None:
        model = small(variant, temporal).eval()
        with torch.no_grad():
            out = model(clips(n, t))
            assert set(chosen) == {Form.INFERENCE}
            compare(dict(out=out), dict(out=plain(model, clips(n, t))))

    def test_empty_second_person(self) -> None:
        x = clips()
        x[1:, 1] = 0
        model = small()
        other = copy.deepcopy(model)
        results, expected = step(model, x), plain(step, other, x)
        # All frames of the empty ones are equal up to rounding, so that which of them
        # a max-pooling chooses is left to chance; the sum over frames is not.
        for of in (results, expected):
            of["source"] = of["source"].sum(2)
        compare(results, expected)

    def test_rows_that_do_not_lie_side_by_side(self) -> None:
        block = small().net[1]
        other = copy.deepcopy(block)
        x = torch.randn(3, 16, 6, 5, dtype=torch.float64).transpose(2, 3)
        compare(step(block, x), plain(step, other, x))

    @pytest.mark.parametrize("stride", [1, 2])
    def test_first_of_equal_frames(self, stride: int) -> None:
        """Like PyTorch's max-pooling, for numbers without rounding."""
        generator = torch.Generator().manual_seed(0)
        hidden = torch.randint(1, 4, (2, 12, 5, 9), generator=generator).double()
        hidden.requires_grad_()
        shapes = [(2, 16, 5, 9), (4, 16), (4, 4, 5, 1), (4, 4, 5, 1)]
        x, last, *weights = (torch.rand(s, dtype=torch.float64) for s in shapes)
        args = (hidden, x, kernel_matrices(weights), last, stride)
        out = TemporalBranches.apply(*args)[:, 8:12]
        expected = nn.functional.max_pool2d(hidden[:, 8:], (1, 3), (1, stride), (0, 1))
        assert torch.equal(out, expected)
        grad = torch.rand_like(out)
        actual = torch.autograd.grad(out, hidden, grad)
        torch.testing.assert_close(actual, torch.autograd.grad(expected, hidden, grad))

    @pytest.mark.parametrize("momentum", [None, 0.3])
    def test_statistics_over_steps(self, momentum: float | None) -> None:
        model = small()
        for norm in norms_of(model):
            norm.momentum = momentum  # type: ignore[assignment]
        other = copy.deepcopy(model)
        for seed in range(3):
            model(clips() + seed)
            with torch.no_grad():
                plain(other, clips() + seed)
        compare(model.state_dict(), other.state_dict())
        assert model.get_submodule(HEAD + "1").num_batches_tracked == 3

    @pytest.mark.parametrize("reentrant", [False, True])
    def test_checkpointing(self, reentrant: bool) -> None:
        model, x = small(), clips().requires_grad_()
        other = copy.deepcopy(model)
        model(x).sum().backward()
        checkpoint(other, x, use_reentrant=reentrant).sum().backward()
        gradients, expected = (
            {name: p.grad for name, p in m.named_parameters()} for m in (other, model)
        )
        compare(gradients, expected)


def test_nothing_is_kept_without_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []

    def spy(ctx: Any, *operands: Tensor) -> Tensor:
        kept.append(ctx.needs_input_grad)
        return operands[0] + 1

    monkeypatch.setattr(GraphProduct, "forward", staticmethod(spy))
    operands = [torch.zeros(1, requires_grad=True) for _ in range(5)]
    with torch.no_grad():
        apply_function(GraphProduct, *operands)
    apply_function(GraphProduct, *operands)
    assert kept == [(False,) * 5, (True,) * 5]


def test_up_to_date_in_any_order() -> None:
    """Nothing is remembered of other weights."""
    model, x = small().eval(), clips()
    state, seen = copy.deepcopy(model.state_dict()), [torch.zeros(()).double()]

    def check() -> Tensor:
        with torch.no_grad():
            out = model(x)
            compare(dict(out=out), dict(out=plain(model, x)))
        assert not torch.allclose(out, seen[-1])
        seen.append(out)
        return out

    first = check()
    step(model.train(), x)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.01 * parameter.grad
    model.eval()
    check()
    model.load_state_dict(state)
    assert torch.equal(check(), first)
    for parameter in model.parameters():  # as averaged weights are swapped in
        parameter.data = 1.1 * parameter.data
    check()
    for norm in norms_of(model):
        norm.get_buffer("running_var").mul_(1.1)
    check()


class TestChoice:
    """Where only the plain form fits."""

    def test_modes(self, chosen: Chosen, monkeypatch: pytest.MonkeyPatch) -> None:
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
            model = small().float()
            assert choices(model, x.float()) == {Form.PLAIN}
            model(x.float()).sum().backward()
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
        assert choices(small(), x) == {Form.PLAIN}

    def test_merged_normalization_and_hook(self, chosen: Chosen) -> None:
        model, seen = small().eval(), []
        model.get_submodule(HEAD[:-1])[1] = nn.Identity()  # type: ignore[index]
        norm = model.get_submodule("net.2.tcn1.branches.0.1")
        norm.register_forward_hook(lambda *_: seen.append(True))
        with torch.no_grad():
            model(clips())
        assert chosen.count(Form.PLAIN) == 2 and seen == [True]

    def test_compiled(self) -> None:
        model = small(num_stages=2, inflate_stages=[2], down_stages=[2])
        expected = step(copy.deepcopy(model), clips())
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        results = step(compiled, clips())
        compare({k.replace("_orig_mod.", ""): v for k, v in results.items()}, expected)

    def test_trace(self, chosen: Chosen) -> None:
        model = small().eval()
        traced = torch.jit.trace(model, (clips(),), check_trace=False)
        assert set(chosen) == {Form.PLAIN}
        with torch.no_grad():
            compare(dict(out=traced(clips(2))), dict(out=model(clips(2))))

    def test_second_derivative(self) -> None:
        model, x = small(), clips(2, 4).requires_grad_()
        with pytest.raises(RuntimeError, match=r"twice .*plain_path\(\)"):
            torch.autograd.grad(model(x).sum(), x, create_graph=True)
        with plain_path():
            (grad,) = torch.autograd.grad(model(x).square().sum(), x, create_graph=True)
        grad.square().sum().backward()
        assert x.grad is not None and x.grad.abs().sum() > 0
