"""Which of its three forms a unit computes: the one place where that is decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn

from gap_mmaction.compat import is_hooked

_PLAIN_ONLY: ContextVar[bool] = ContextVar("plain_only", default=False)


class Path(Enum):
    """The forms of a unit.

    All give the same values and, where they have any, gradients.
    """

    #: Modules one after the other, by PyTorch's own operations: for everything that
    #: the other two are not for.
    PLAIN = "plain"
    #: On a CPU, with the statistics of the batch.
    TRAINING = "training"
    #: On a CPU, without gradients: the normalizations are folded into the
    #: convolutions, anew in each forward pass, so that nothing can be out of date.
    INFERENCE = "inference"


@contextmanager
def plain_path() -> Iterator[None]:
    """Let all units compute their plain form, for instance to differentiate twice.

    Examples:
        >>> with plain_path():
        ...     loss = backbone(x).sum()
    """
    token = _PLAIN_ONLY.set(True)
    try:
        yield
    finally:
        _PLAIN_ONLY.reset(token)


def choose_path(
    units: Sequence[nn.Module],
    x: Tensor,
    parts: Sequence[tuple[nn.Module, type[nn.Module]]],
) -> Path:
    """Choose the form in which a unit computes.

    The two forms for CPUs go past the unit's modules, so that these must be what they
    were built as: a normalization that was converted (to a synchronized one, or merged
    into its convolution), a parametrization, and a hook all lead to the plain form.

    Args:
        units: The modules that have all parameters.
        x: Its input ``[N, C, V, T]``.
        parts: The modules that it computes with, with the class that each must have.

    Returns:
        The form.
    """
    if (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined]
        or torch.onnx.is_in_onnx_export()
        or _PLAIN_ONLY.get()
        or type(x) is not Tensor
        or x.device.type != "cpu"
        or x.dtype not in (torch.float32, torch.float64)
        or torch.is_autocast_enabled("cpu")
        # Too few values for a variance: the plain form says so.
        or x.shape[0] * x.shape[2] < 2
        or x.shape[3] == 0
        or not all(_is_stock(module, kind, x.dtype) for module, kind in parts)
    ):
        return Path.PLAIN
    batch_statistics = {
        module.training or module.running_mean is None
        for module, _ in parts
        if isinstance(module, nn.BatchNorm2d)
    }
    if batch_statistics == {True}:
        return Path.TRAINING
    needs_gradient = torch.is_grad_enabled() and (
        x.requires_grad
        or any(p.requires_grad for unit in units for p in unit.parameters())
    )
    if batch_statistics == {False} and not needs_gradient:
        return Path.INFERENCE
    return Path.PLAIN


def apply_function(function: type[torch.autograd.Function], *arguments: Any) -> Any:
    """Apply a function; without gradients it shall not keep anything for them."""
    if not torch.is_grad_enabled():
        # A parameter asks for gradients here as well.
        arguments = tuple(
            argument.detach() if isinstance(argument, Tensor) else argument
            for argument in arguments
        )
    return function.apply(*arguments)


def refuse_second_derivative() -> None:
    """Raise where a backward pass is itself to be differentiated.

    Raises:
        RuntimeError: If it is, as the functions for CPUs have no second derivative.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(
            "the fast form of this backbone cannot be differentiated twice "
            "(create_graph=True); run its forward pass under "
            "gap_mmaction.models.backbones.fast_path.plain_path()"
        )


def _is_stock(module: nn.Module, kind: type[nn.Module], dtype: torch.dtype) -> bool:
    if type(module) is not kind or is_hooked(module):
        return False
    if not isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
        return True
    return all(
        tensor is not None and tensor.dtype == dtype and tensor.device.type == "cpu"
        for tensor in (module.weight, module.bias)
    )
