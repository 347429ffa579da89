"""The forms of CTR-GCN's units: equal, never out of date, and chosen where they fit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gap_mmaction.models import CTRGCN, convert_authors_state_dict
from gap_mmaction.models.backbones.cpu import forms, plain_path
from gap_mmaction.models.backbones.cpu.forms import Form, apply_function, choose_form
from gap_mmaction.models.backbones.cpu.graph_conv import GraphProduct
from gap_mmaction.models.backbones.cpu.temporal_conv import (
    TemporalBranches,
    kernel_matrices,
)
from gap_mmaction.models.backbones.ctrgcn_units import graph_product
from tests.models.backbones.common import (
    FORMS,
    assert_close,
    clips,
    compare,
    small,
    step,
)
from tests.models.golden import load_golden

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
        model = small(variant, temporal)
        other = copy.deepcopy(model)
        results = step(model, clips(n, t))
        assert set(chosen) == {Form.TRAINING}
        compare(results, plain(step, other, clips(n, t)))
        assert chosen[-1] is Form.PLAIN
        # A normalization cancels the bias before it.
        for name, value in results.items():
            if name.startswith(f"gradient of {HEAD}0.bias"):
                assert not value.any()

    @pytest.mark.parametrize(("variant", "temporal"), FORMS)
    @pytest.mark.parametrize(("n", "t"), [(3, 11), (1, 6), (1, 1)])
    def test_inference(
        self, variant: str, temporal: str, n: int, t: int, chosen: Chosen
    ) -> None:
        model = small(variant, temporal).eval()
        with torch.no_grad():
            out = model(clips(n, t))
            assert set(chosen) == {Form.INFERENCE}
            assert_close(out, plain(model, clips(n, t)))

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

    @pytest.mark.parametrize("variant", ["mmaction2", "authors"])
    def test_golden_in_float32(self, shared: Path, variant: str) -> None:
        arrays, state = load_golden(shared, f"ctrgcn_{variant}")
        x = arrays["input"]
        if variant == "authors":
            state, x = convert_authors_state_dict(state), x.permute(0, 4, 2, 3, 1)
        model = CTRGCN(dict(layout="nturgb+d"), base_channels=16, variant=variant)
        model.eval().load_state_dict(state)
        with torch.no_grad():
            out, expected = model(x), plain(model, x)
        assert not torch.equal(out, expected)
        assert (out - expected).abs().max() <= 3e-6 * expected.abs().max()

    @pytest.mark.parametrize("stride", [1, 2])
    def test_first_of_equal_frames(self, stride: int) -> None:
        """Like PyTorch's max-pooling, for numbers without rounding."""
        generator = torch.Generator().manual_seed(0)
        hidden = torch.randint(1, 4, (2, 12, 5, 9), generator=generator).double()
        hidden.requires_grad_()
        x = torch.rand(2, 16, 5, 9, dtype=torch.float64)
        weights = [torch.rand(4, 4, 5, 1, dtype=torch.float64) for _ in range(2)]
        last = torch.rand(4, 16, dtype=torch.float64)
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
            x = clips() + seed
            model(x)
            with torch.no_grad():
                plain(other, x)
        compare(model.state_dict(), other.state_dict())
        assert model.get_submodule(HEAD + "1").num_batches_tracked == 3

    def test_without_statistics(self, chosen: Chosen) -> None:
        model = small().eval()
        for norm in norms_of(model):
            norm.running_mean = norm.running_var = None
        other = copy.deepcopy(model)
        results = step(model, clips())
        assert set(chosen) == {Form.TRAINING}
        compare(results, plain(step, other, clips()))

    @pytest.mark.parametrize("reentrant", [False, True])
    def test_checkpointing(self, reentrant: bool) -> None:
        model = small()
        other = copy.deepcopy(model)
        x = clips().requires_grad_()
        model(x).sum().backward()
        checkpoint(other, x, use_reentrant=reentrant).sum().backward()
        for (name, a), b in zip(model.named_parameters(), other.parameters()):
            assert_close(b.grad, a.grad, name)


class TestGraphProduct:
    """Both forms of the channel-wise product, and the formula in one einsum each."""

    def operands(self, frames: int = 6) -> list[Tensor]:
        torch.manual_seed(0)
        shapes = [(2, 3, 5, frames), (2, 3, 2, 25), (12, 3), (12,), (3, 4, 2)]
        return [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]

    def formula(
        self, x: Tensor, relation: Tensor, w3: Tensor, b3: Tensor, w4: Tensor
    ) -> Tensor:
        hidden = torch.einsum("soc,ncvt->nsovt", w3.view(3, 4, 3), x)
        hidden = hidden + b3.view(1, 3, 4, 1, 1)
        graph = torch.einsum("sor,nsruv->nsouv", w4, relation.view(2, 3, 2, 5, 5))
        return torch.einsum("nsouv,nsovt->nout", graph, hidden)

    @pytest.mark.parametrize(
        "chosen", [slice(None), *(slice(i, i + 1) for i in (0, 4))]
    )
    @pytest.mark.parametrize("fast", [False, True])
    def test_value_and_gradients(self, fast: bool, chosen: slice) -> None:
        operands = [operand.detach() for operand in self.operands()]
        sources = [operand.requires_grad_() for operand in operands[chosen]]
        expected = self.formula(*operands)
        actual = GraphProduct.apply(*operands)[0] if fast else graph_product(*operands)
        torch.testing.assert_close(actual, expected)
        grad = torch.randn_like(expected)
        grads = torch.autograd.grad(actual, sources, grad)
        torch.testing.assert_close(grads, torch.autograd.grad(expected, sources, grad))

    def test_gradcheck(self) -> None:
        assert torch.autograd.gradcheck(GraphProduct.apply, self.operands(frames=2))

    def test_rows_that_do_not_lie_side_by_side(self) -> None:
        x, *others = self.operands()
        swapped = x.detach().transpose(2, 3).contiguous().transpose(2, 3)
        out, _ = GraphProduct.apply(swapped.requires_grad_(), *others)
        expected = self.formula(x, *others)
        torch.testing.assert_close(out, expected)
        grad = torch.randn(2, 4, 6, 5, dtype=torch.float64).transpose(2, 3)
        actual = torch.autograd.grad(out, swapped, grad)
        torch.testing.assert_close(actual, torch.autograd.grad(expected, x, grad))

    def test_nothing_is_kept_without_gradients(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = []
        forward = GraphProduct.forward

        def spy(ctx: object, *operands: Tensor) -> tuple[Tensor, Tensor]:
            out = forward(ctx, *operands)
            kept.append(len(getattr(ctx, "to_save", ()) or ()))
            return out

        monkeypatch.setattr(GraphProduct, "forward", staticmethod(spy))
        with torch.no_grad():
            apply_function(GraphProduct, *self.operands())
        apply_function(GraphProduct, *self.operands())
        assert kept == [0, 5]


def test_up_to_date_in_any_order() -> None:
    """Nothing is remembered of other weights."""
    model, x = small().eval(), clips()
    state = copy.deepcopy(model.state_dict())

    def check() -> Tensor:
        with torch.no_grad():
            out = model(x)
            assert_close(out, plain(model, x))
        return out

    first = check()
    step(model.train(), x)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.01 * parameter.grad
    model.eval()
    trained = check()
    assert not torch.allclose(first, trained)
    model.load_state_dict(state)
    assert torch.equal(check(), first)
    for parameter in model.parameters():  # as averaged weights are swapped in
        parameter.data = 1.1 * parameter.data
    swapped = check()
    assert not torch.allclose(first, swapped)
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.mul_(1.1)
    assert not torch.allclose(check(), swapped)


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

    def test_merged_normalization(self, chosen: Chosen) -> None:
        model = small().eval()
        model.get_submodule(HEAD[:-1])[1] = nn.Identity()  # type: ignore[index]
        with torch.no_grad():
            model(clips())
        assert chosen.count(Form.PLAIN) == 1

    def test_hook(self, chosen: Chosen) -> None:
        model = small()
        seen = []
        norm = model.get_submodule(HEAD + "1")
        norm.register_forward_hook(lambda *_: seen.append(True))
        model(clips())
        assert seen == [True]
        assert chosen.count(Form.PLAIN) == 1

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
            assert_close(traced(clips(2)), model(clips(2)))

    def test_second_derivative(self) -> None:
        model, x = small(), clips(2, 4).requires_grad_()
        with pytest.raises(RuntimeError, match=r"twice .*plain_path\(\)"):
            torch.autograd.grad(model(x).sum(), x, create_graph=True)
        with plain_path():
            (grad,) = torch.autograd.grad(model(x).square().sum(), x, create_graph=True)
        grad.square().sum().backward()
        assert x.grad is not None and x.grad.abs().sum() > 0
