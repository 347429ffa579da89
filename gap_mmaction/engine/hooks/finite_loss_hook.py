"""FiniteLossHook: a loss that is no number ends the run and says whose it was."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from gap_mmaction.utils.brief import name_of_sample
from gap_mmaction.utils.files import write_file

from .resumption_hooks import model_of


class _Look(NamedTuple):
    """Which ranks' losses are not finite, once the event has come, and whose."""

    flags: Tensor
    event: torch.cuda.Event | None
    call: tuple[nn.Module, Any, Any, dict, Tensor]


class NonFiniteLossError(FloatingPointError):
    """The loss of a batch is not finite."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Looks at the loss of every batch before its gradients change anything.

    Where it is NaN or infinite, the run ends before the optimizer's step would spoil
    the parameters, on all ranks at once. For each rank with such a loss,
    ``non_finite_loss_iter<N>_rank<R>.json`` in the work dir has losses, the samples'
    names, which inputs, parameters and buffers are not finite, the learning rates and
    the gradients' last norm. The checkpoints stay as they are.

    Gradients that overflow in half precision are the gradient scaler's business. The
    price is that the forward pass is waited for before the step, when a GPU still has
    the backward pass to do, and in distributed runs a number per rank is exchanged.

    Raises:
        NonFiniteLossError: While training, with the names of the samples.
    """

    def __init__(self) -> None:
        self._runner: Any = None
        self._handles: list[Any] = []
        self._looks: list[_Look] = []
        self._batch_idx = 0
        self._data_batch: Any = None

    def before_train(self, runner: Any) -> None:
        """Begins to look at what the model returns."""
        self._runner = runner
        look = model_of(runner).register_forward_hook(self._look, with_kwargs=True)
        wrapper = runner.optim_wrapper
        every = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
        steps = [
            one.optimizer.register_step_pre_hook(self._before_step) for one in every
        ]
        self._handles = [look, *steps]

    def after_train(self, runner: Any) -> None:
        """Ends it."""
        for handle in self._handles:
            handle.remove()
        self._runner = self._data_batch = None

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Keeps the batch for a report."""
        self._batch_idx, self._data_batch = batch_idx, data_batch

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Judges the losses of an iteration without a step, as of a skipped one."""
        self._judge()

    def _look(self, model: nn.Module, args: Any, kwargs: Any, losses: Any) -> None:
        mode = kwargs.get("mode", args[-1] if args else None)
        if mode != "loss" or not model.training or not isinstance(losses, dict):
            return
        terms = [_total(value) for name, value in losses.items() if "loss" in name]
        if not terms:
            return
        total = sum(terms[1:], terms[0])
        bad = (~total.isfinite()).reshape(1).to(torch.uint8)
        flags = torch.cat(all_gather(bad)).to("cpu", non_blocking=True)
        event = torch.cuda.Event() if total.is_cuda else None
        if event is not None:
            event.record()
        self._looks.append(_Look(flags, event, (model, args, kwargs, losses, total)))

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self._judge()

    def _judge(self) -> None:
        looks, self._looks = self._looks, []
        for look in looks:
            if look.event is not None:
                look.event.synchronize()
            if ranks := look.flags.nonzero().flatten().tolist():
                self._end(ranks, *look.call)

    def _end(
        self,
        ranks: list[int],
        model: nn.Module,
        args: Any,
        kwargs: Any,
        losses: dict,
        total: Tensor,
    ) -> None:
        runner = self._runner
        name = f"non_finite_loss_iter{runner.iter}"
        report = Path(runner.work_dir, f"{name}_rank{get_rank()}.json")
        samples = ""
        if get_rank() in ranks:
            content = self._report(model, args, kwargs, losses, total)
            text = json.dumps(content, indent=1, allow_nan=False, default=str)
            write_file(report, text, durable=True)
            names = [str(sample["name"]) for sample in content["samples"]]
            samples = f"its samples are {', '.join(names)}; "
        where = f"epoch {runner.epoch + 1}, iteration {runner.iter}"
        if get_world_size() > 1:
            where += f", of rank {', '.join(map(str, ranks))}"
        raise NonFiniteLossError(
            f"the loss is {total.item() if samples else 'not finite'} at {where}: "
            f"{samples}see {report.with_name(name)}_rank*.json. The last checkpoint is "
            "as it was. Look at these samples, lower the learning rate or clip the "
            "gradients (optim_wrapper.clip_grad), and go on with --resume"
        )

    def _report(
        self, model: nn.Module, args: Any, kwargs: Any, losses: dict, total: Tensor
    ) -> dict[str, Any]:
        runner, batch = self._runner, self._data_batch
        scalars = runner.message_hub.log_scalars
        norm = scalars.get("train/grad_norm")
        raw = batch.get("inputs") if isinstance(batch, dict) else None
        inputs = kwargs.get("inputs", args[0] if args else None)
        return {
            **{"epoch": runner.epoch, "iter": runner.iter, "batch": self._batch_idx},
            **{"rank": get_rank(), "world_size": get_world_size()},
            "seed": runner.seed,
            "loss": _plain(total),
            "losses": {key: _plain(value) for key, value in losses.items()},
            "lr": runner.optim_wrapper.get_lr(),
            # Of the step before, where the gradients are clipped.
            "grad_norm": None if norm is None else _plain(float(norm.current())),
            "samples": [
                {
                    "name": name_of_sample(sample),
                    "label": _plain(getattr(sample, "gt_label", None)),
                    "finite_in_the_data": _finite(raw, index),
                    "finite_in_the_model": _finite(inputs, index),
                }
                for index, sample in enumerate(kwargs.get("data_samples") or [])
            ],
            "non_finite_parameters": _non_finite(dict(model.named_parameters())),
            "non_finite_buffers": _non_finite(dict(model.named_buffers())),
            "last_checkpoint": runner.message_hub.get_info("last_ckpt"),
        }


def _total(value: Any) -> Tensor:
    """Reduces a loss as MMEngine's ``parse_losses`` does."""
    if isinstance(value, Tensor):
        return value.detach().mean()
    means = [item.detach().mean() for item in value]
    return sum(means[1:], means[0])


def _plain(value: Any) -> Any:
    """Returns numbers as JSON can have them."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    finite = not isinstance(value, float) or math.isfinite(value)
    return value if finite else str(value)


def _finite(inputs: Any, index: int) -> bool | None:
    if not isinstance(inputs, (Tensor, list)) or index >= len(inputs):
        return None
    value = inputs[index]
    return bool(value.isfinite().all()) if isinstance(value, Tensor) else None


def _non_finite(tensors: dict[str, Tensor]) -> list[str]:
    return [name for name, value in tensors.items() if not value.isfinite().all()]
