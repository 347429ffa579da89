"""PendingGradientsHook: gradients that wait for the next epoch outlive a kill."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import Tensor


@HOOKS.register_module()
class PendingGradientsHook(Hook):
    """Keeps accumulated gradients in the checkpoint.

    With ``optim_wrapper.accumulative_counts`` that does not divide the steps of an
    epoch, gradients are waiting for their companions at its end. MMEngine 0.10.7 saves
    none, so that a resumed run would lack them. In distributed runs each rank waits
    with its own; the ranks' mean, which the next optimizer step takes in any case, is
    taken at the end of the epoch, so that the first rank's checkpoint holds all.
    """

    # Before the checkpoint is written.
    priority = "NORMAL"

    def __init__(self) -> None:
        self._loaded: dict[str, Tensor] | None = None

    def after_train_epoch(self, runner: Any) -> None:
        """Takes the mean over the ranks."""
        if is_distributed():
            for grad in _pending(runner).values():
                all_reduce(grad, op="mean")

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Puts the gradients into the checkpoint, if any are waiting."""
        pending = _pending(runner) if "optimizer" in checkpoint else {}
        if pending:
            checkpoint["pending_gradients"] = {
                name: grad.cpu() for name, grad in pending.items()
            }

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Takes the gradients out of a checkpoint."""
        self._loaded = checkpoint.pop("pending_gradients", None)

    def before_train(self, runner: Any) -> None:
        """Sets the gradients of the run that is resumed."""
        # 0 where a run starts from the weights of another one.
        if self._loaded and runner.iter:
            parameters = dict(_model(runner).named_parameters())
            for name, grad in self._loaded.items():
                parameters[name].grad = grad.to(parameters[name].device)
        self._loaded = None


def _model(runner: Any) -> torch.nn.Module:
    wrapped = is_model_wrapper(runner.model)
    model: torch.nn.Module = runner.model.module if wrapped else runner.model
    return model


def _pending(runner: Any) -> dict[str, Tensor]:
    """Returns the gradients that no optimizer step has taken yet."""
    wrapper = runner.optim_wrapper
    # An OptimWrapperDict has no such thing.
    if getattr(wrapper, "_accumulative_counts", 1) == 1 or wrapper.should_update():
        return {}
    return {
        name: parameter.grad
        for name, parameter in _model(runner).named_parameters()
        if parameter.grad is not None
    }
