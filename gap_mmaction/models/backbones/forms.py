"""Which of its forms a unit computes: the one place where that is decided."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from gap_mmaction.compat import is_hooked

Forward = TypeVar("Forward", bound=Callable[..., Tensor])

_PLAIN_ONLY: ContextVar[bool] = ContextVar("plain_only", default=False)


class Form(Enum):
    """The forms of a unit; all give the same values and, if any, gradients."""

    #: Modules one after the other, for everything that the others are not for.
    PLAIN = "plain"
    #: With the statistics of the batch, where each operation is a launch: on a GPU.
    JOINED = "joined"
    #: On a CPU, with the statistics of the batch.
    TRAINING = "training"
    #: On a CPU, without gradients: the normalizations are folded into the
    #: convolutions, anew in each forward pass, so that nothing can be out of date.
    INFERENCE = "inference"


class CpuForms(NamedTuple):
    """The forms for CPUs of one class of units, which take the unit and its arguments.

    They, and the joined form, go past the unit's modules, so that these must be what
    they were built as, of the classes in one of ``structures``: a normalization that
    was converted (to a synchronized one, or merged into its convolution), a
    parametrization, and a hook all lead to the plain form.
    """

    structures: list[list[type[nn.Module]]]
    training: Callable[..., Tensor]
    inference: Callable[..., Tensor]


#: By the class of the unit; filled by the modules with the forms.
FORMS: dict[type[nn.Module], CpuForms] = {}
JOINED: dict[type[nn.Module], Callable[..., Tensor]] = {}


def has_forms(forward: Forward) -> Forward:
    """Makes a unit's ``forward`` run one of its other forms where that fits."""

    @functools.wraps(forward)
    def run(unit: nn.Module, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        compute: Callable[..., Tensor] = forward
        form = choose_form(unit, x)
        if form is Form.JOINED:
            compute = JOINED[type(unit)]
        elif form is not Form.PLAIN:
            compute = getattr(FORMS[type(unit)], form.value)
        return compute(unit, x, *args, **kwargs)

    return run  # type: ignore[return-value]


def choose_form(unit: nn.Module, x: Tensor) -> Form:
    """Chooses the form in which a unit computes from ``x``, ``[N, C, V, T]``."""
    if (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined]
        or torch.onnx.is_in_onnx_export()
        or _PLAIN_ONLY.get()
        or type(unit) not in FORMS
        # Too few values for a variance: the plain form says so.
        or x.shape[0] * x.shape[2] < 2
        or x.shape[3] == 0
    ):
        return Form.PLAIN
    modules = list(unit.modules())
    if [type(module) for module in modules] not in FORMS[type(unit)].structures:
        return Form.PLAIN
    # Hooks of the unit itself run in any form.
    if any(map(is_hooked, modules[1:])):
        return Form.PLAIN
    norms = [module for module in modules if isinstance(module, nn.BatchNorm2d)]
    batch_statistics = {norm.training or norm.running_mean is None for norm in norms}
    if x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        settings = {
            (norm.track_running_stats, norm.momentum, norm.eps) for norm in norms
        }
        keeps, momentum, _ = settings.pop()
        can_shift = momentum is not None and momentum < 1
        fits = keeps and can_shift and not settings and batch_statistics == {True}
        return Form.JOINED if fits and type(unit) in JOINED else Form.PLAIN
    if type(x) is not Tensor or x.dtype not in (torch.float32, torch.float64):
        return Form.PLAIN
    if not all(_has_parameters(module, x.dtype) for module in modules[1:]):
        return Form.PLAIN
    if batch_statistics == {True}:
        return Form.TRAINING
    differentiable = any(part.requires_grad for part in (x, *unit.parameters()))
    if batch_statistics != {False} or (differentiable and torch.is_grad_enabled()):
        return Form.PLAIN
    return Form.INFERENCE


@contextmanager
def plain_path() -> Iterator[None]:
    """Lets all units compute their plain form, for instance to differentiate twice.

    ``with plain_path(): loss = backbone(x).sum()``
    """
    token = _PLAIN_ONLY.set(True)
    try:
        yield
    finally:
        _PLAIN_ONLY.reset(token)


def apply_function(function: type[torch.autograd.Function], *arguments: Any) -> Any:
    """Applies a function; without gradients it shall not keep anything for them."""
    if not torch.is_grad_enabled():
        # A parameter asks for gradients here as well.
        tensors = (a.detach() if isinstance(a, Tensor) else a for a in arguments)
        return function.apply(*tensors)
    return function.apply(*arguments)


def refuse_second_derivative() -> None:
    """Raises a ``RuntimeError`` if a backward pass is itself to be differentiated."""
    if torch.is_grad_enabled():
        raise RuntimeError(
            "the fast form of this backbone cannot be differentiated twice "
            "(create_graph=True); run its forward pass under "
            "gap_mmaction.models.backbones.plain_path()"
        )


def _has_parameters(module: nn.Module, dtype: torch.dtype) -> bool:
    if not isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
        return True
    return all(
        tensor is not None and tensor.dtype == dtype and tensor.device.type == "cpu"
        for tensor in (module.weight, module.bias)
    )
