"""The forms of CTR-GCN's units: equal, never out of date, and chosen where they fit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gap_mmaction.models import CTRGCN, convert_authors_state_dict
from gap_mmaction.models.backbones import ctrgcn_units
from gap_mmaction.models.backbones.fast_path import Path, choose_path, plain_path
from gap_mmaction.models.backbones.temporal_branches import (
    TemporalBranches,
    kernel_matrices,
)
from tests.models.backbones_common import SMALL, SMALL_LAYOUT, assert_close
from tests.models.golden import load_golden
from tests.models.plain_gcn import perturb

Chosen = list[Path]
HEAD = "net.1.tcn1.branches.0."
FORMS = [(v, t) for v in ("mmaction2", "authors") for t in ("multi", "single")]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """The forms that were chosen, one after the other."""
    paths: Chosen = []

    def spy(*args: Any) -> Path:
        paths.append(choose_path(*args))
        return paths[-1]

    monkeypatch.setattr(ctrgcn_units, "choose_path", spy)
    return paths


def _model(**kwargs: Any) -> CTRGCN:
    settings: dict[str, Any] = dict(base_channels=16, **SMALL)
    model = CTRGCN(dict(layout=SMALL_LAYOUT), **{**settings, **kwargs})
    model.double()
    perturb(model)
    return model


def _input(n: int = 3, t: int = 11) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 2, t, 5, 3, generator=generator, dtype=torch.float64)


def _step(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Give everything that a training step computes."""
    source = x.clone().requires_grad_()
    out = model(source)
    weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    (weight * out).sum().backward()
    assert source.grad is not None
    results = dict(out=out.detach(), source=source.grad, **model.state_dict())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        results[f"gradient of {name}"] = parameter.grad
    return results


def _compare(results: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert results.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(results[name], value, name)


def _plain(function: Callable[..., Any], *args: Any) -> Any:
    with plain_path():
        return function(*args)


class TestEqual:
    """What the forms compute."""

    @pytest.mark.parametrize(("variant", "temporal"), FORMS)
    @pytest.mark.parametrize(("n", "t"), [(3, 11), (1, 6), (2, 1)])
    def test_training(
        self, variant: str, temporal: str, n: int, t: int, chosen: Chosen
    ) -> None:
        model = _model(variant=variant, temporal=temporal)
        other = copy.deepcopy(model)
        results = _step(model, _input(n, t))
        assert set(chosen) == {Path.TRAINING}
        _compare(results, _plain(_step, other, _input(n, t)))
        assert chosen[-1] is Path.PLAIN

    @pytest.mark.parametrize(("variant", "temporal"), FORMS)
    @pytest.mark.parametrize(("n", "t"), [(3, 11), (1, 6), (1, 1)])
    def test_inference(
        self, variant: str, temporal: str, n: int, t: int, chosen: Chosen
    ) -> None:
        model = _model(variant=variant, temporal=temporal).eval()
        with torch.no_grad():
            out = model(_input(n, t))
            assert set(chosen) == {Path.INFERENCE}
            assert_close(out, _plain(model, _input(n, t)))

    def test_empty_second_person(self) -> None:
        x = _input()
        x[1:, 1] = 0
        model = _model()
        other = copy.deepcopy(model)
        results, expected = _step(model, x), _plain(_step, other, x)
        # All frames of the empty ones are equal up to rounding, so that which of them
        # a max-pooling chooses is left to chance; the sum over frames is not.
        for of in (results, expected):
            of["source"] = of["source"].sum(2)
        _compare(results, expected)

    @pytest.mark.parametrize(
        ("file", "layout", "persons"),
        [
            ("ctrgcn_mmaction2", "nturgb+d", 2),
            ("ctrgcn_authors", "nturgb+d", 2),
            ("ctrgcn_authors_ucla", "nw-ucla", 1),
        ],
    )
    def test_golden_in_float32(
        self, shared: FilePath, file: str, layout: str, persons: int
    ) -> None:
        arrays, state = load_golden(shared, file)
        x = arrays["input"]
        kwargs: dict[str, Any] = dict(base_channels=16, num_person=persons)
        if "authors" in file:
            state, kwargs["variant"] = convert_authors_state_dict(state), "authors"
            x = x.permute(0, 4, 2, 3, 1)
        model = CTRGCN(dict(layout=layout), **kwargs)
        model.load_state_dict(state)
        model.eval()
        with torch.no_grad():
            out, plain = model(x), _plain(model, x)
        assert not torch.equal(out, plain)
        assert (out - plain).abs().max() <= 3e-6 * plain.abs().max()

    def test_first_of_equal_frames(self) -> None:
        """Like PyTorch's max-pooling, for numbers without rounding."""
        generator = torch.Generator().manual_seed(0)
        hidden = torch.randint(1, 4, (2, 12, 5, 9), generator=generator).double()
        x = torch.rand(2, 16, 5, 9, dtype=torch.float64)
        weights = [torch.rand(4, 4, 5, 1, dtype=torch.float64) for _ in range(2)]
        last = torch.rand(4, 16, dtype=torch.float64)
        for stride in (1, 2):
            for part in (hidden.requires_grad_(), x):
                part.grad = None
            args = (hidden, x, kernel_matrices(weights), last, stride)
            out = TemporalBranches.apply(*args)[:, 8:12]
            expected = nn.functional.max_pool2d(
                hidden[:, 8:], (1, 3), (1, stride), (0, 1)
            )
            assert torch.equal(out, expected)
            weight = torch.rand_like(out)
            grads = [
                torch.autograd.grad((weight * o).sum(), hidden)[0]
                for o in (out, expected)
            ]
            torch.testing.assert_close(*grads)

    def test_biases_before_a_normalization(self) -> None:
        model = _model()
        _step(model, _input())
        grad = model.get_submodule(HEAD + "0").bias.grad
        assert torch.equal(grad, torch.zeros_like(grad))

    @pytest.mark.parametrize("momentum", [None, 0.3])
    def test_statistics_over_steps(self, momentum: float | None) -> None:
        model = _model()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = momentum
        other = copy.deepcopy(model)
        for seed in range(3):
            x = _input() + seed
            model(x)
            with torch.no_grad():
                _plain(other, x)
        _compare(model.state_dict(), other.state_dict())
        assert model.get_submodule(HEAD + "1").num_batches_tracked == 3

    def test_without_statistics(self, chosen: Chosen) -> None:
        model = _model().eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean = module.running_var = None
        other = copy.deepcopy(model)
        results = _step(model, _input())
        assert set(chosen) == {Path.TRAINING}
        _compare(results, _plain(_step, other, _input()))

    @pytest.mark.parametrize("reentrant", [False, True])
    def test_checkpointing(self, reentrant: bool) -> None:
        model = _model()
        other = copy.deepcopy(model)
        x = _input().requires_grad_()
        model(x).sum().backward()
        checkpoint(other, x, use_reentrant=reentrant).sum().backward()
        for (name, a), b in zip(model.named_parameters(), other.parameters()):
            assert_close(b.grad, a.grad, name)


class TestUpToDate:
    """Nothing is remembered of other weights."""

    def test_any_order(self) -> None:
        model, x = _model().eval(), _input()
        state = copy.deepcopy(model.state_dict())

        def check() -> Tensor:
            with torch.no_grad():
                out = model(x)
                assert_close(out, _plain(model, x))
            return out

        first = check()
        model.train()
        _step(model, x)
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

    def _choices(self, model: nn.Module, chosen: Chosen, x: Tensor) -> set[Path]:
        chosen.clear()
        model(x)
        return set(chosen)

    def test_gradients_in_eval_mode(self, chosen: Chosen) -> None:
        model = _model().eval()
        assert self._choices(model, chosen, _input()) == {Path.PLAIN}
        model.requires_grad_(False)
        assert self._choices(model, chosen, _input()) == {Path.INFERENCE}
        x = _input().requires_grad_()
        assert self._choices(model, chosen, x) == {Path.PLAIN}

    def test_frozen_normalization(self, chosen: Chosen) -> None:
        model = _model()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        assert self._choices(model, chosen, _input()) == {Path.PLAIN}

    def test_converted_normalization(self, chosen: Chosen) -> None:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(_model()).eval()
        with torch.no_grad():
            assert self._choices(model, chosen, _input()) == {Path.PLAIN}

    def test_merged_normalization(self, chosen: Chosen) -> None:
        model = _model().eval()
        model.get_submodule(HEAD[:-1])[1] = nn.Identity()
        with torch.no_grad():
            model(_input())
        assert chosen.count(Path.PLAIN) == 1

    def test_hook(self, chosen: Chosen) -> None:
        model = _model()
        seen = []
        model.get_submodule(HEAD + "1").register_forward_hook(
            lambda *_: seen.append(True)
        )
        model(_input())
        assert seen == [True]
        assert chosen.count(Path.PLAIN) == 1

    def test_autocast(self, chosen: Chosen) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            model = _model().float()
            assert self._choices(model, chosen, _input().float()) == {Path.PLAIN}
            model(_input().float()).sum().backward()

    def test_compiler(self, chosen: Chosen, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
        assert self._choices(_model(), chosen, _input()) == {Path.PLAIN}

    def test_compiled(self) -> None:
        model = _model(num_stages=2, inflate_stages=[2], down_stages=[2])
        expected = _step(copy.deepcopy(model), _input())
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        out = compiled(_input())
        weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
        (weight * out).sum().backward()
        assert_close(out.detach(), expected["out"])
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            assert_close(parameter.grad, expected[f"gradient of {name}"], name)

    def test_trace(self, chosen: Chosen) -> None:
        model = _model().eval()
        traced = torch.jit.trace(model, (_input(),), check_trace=False)
        assert set(chosen) == {Path.PLAIN}
        with torch.no_grad():
            assert_close(traced(_input(2)), model(_input(2)))

    def test_second_derivative(self) -> None:
        model, x = _model(), _input(2, 4).requires_grad_()
        with pytest.raises(RuntimeError, match=r"twice .*plain_path\(\)"):
            torch.autograd.grad(model(x).sum(), x, create_graph=True)
        with plain_path():
            (grad,) = torch.autograd.grad(model(x).square().sum(), x, create_graph=True)
        grad.square().sum().backward()
        assert x.grad is not None and x.grad.abs().sum() > 0
