"""Hooks that let a run which was interrupted and resumed compute what others do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import all_reduce, get_rank, is_distributed
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import Tensor

from gap_mmaction.utils.randomness import derive_seed, seed_global

# Apart from what else is drawn by the run's seed.
_PURPOSE = 2


@HOOKS.register_module()
class RandomnessHook(Hook):
    """Seeds what is drawn in a training step by seed, rank and number of the step.

    * Before each epoch, the data set (a :class:`SeededDataset`) is told its number.
    * Before each step, the shared generators of numpy, Python and torch (for dropout
      and the like) are seeded.
    * An epoch that was interrupted after a checkpoint within it goes on where it was.
    * The texts that the text branch draws depend on a seed of its own, which is made
      the same on all ranks.

    A checkpoint holds no state of a generator, hence a run that was killed and resumed
    would otherwise draw other numbers than one that never was. :class:`SkeletonRunner`
    registers it for epoch-based runs.
    """

    priority = "VERY_LOW"

    def __init__(self) -> None:
        self._seen = self._length = self._epoch = self._start = 0

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Notes how many steps of its epoch are done."""
        meta = checkpoint["meta"]
        within = meta["epoch"] == self._epoch
        meta["steps_of_epoch"] = meta["iter"] - self._start if within else 0
        meta["epoch_length"] = len(runner.train_dataloader)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Takes the steps that are done out of a checkpoint."""
        self._seen = checkpoint.get("meta", {}).get("steps_of_epoch", 0)
        self._length = checkpoint.get("meta", {}).get("epoch_length", 0)

    def before_train(self, runner: Any) -> None:
        """Sets the first rank's seed of the prompts on all of them.

        With ``diff_rank_seed`` they differ until the run is resumed.
        """
        length = len(runner.train_dataloader)
        starts = not runner.iter  # and its weights may be another run's
        if starts:
            self._seen = 0
        elif self._length not in (0, length):
            again = ", and the interrupted epoch starts again" if self._seen else ""
            self._seen = 0
            runner.logger.warning(
                f"An epoch has {length} steps, in the run that is resumed it had "
                f"{self._length}: batch size, processes or data are others. Schedules "
                f"that count steps keep their old ends{again}."
            )
        for module in runner.model.modules():
            if hasattr(module, "share_seed"):
                if starts:
                    module.restart()
                module.share_seed()

    def before_train_epoch(self, runner: Any) -> None:
        """Tells the data set the epoch; leaves out what of it is done."""
        # Also where num_batch_per_epoch has wrapped it once more.
        set_epoch = getattr(runner.train_loop.dataloader.dataset, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(runner.epoch)
        self._epoch, self._start = runner.epoch, runner.iter - self._seen
        batches = runner.train_dataloader.batch_sampler
        if isinstance(batches.sampler, _Rest):
            batches.sampler = batches.sampler.sampler
        if self._seen:
            batches.sampler = _Rest(batches.sampler, self._seen * batches.batch_size)
        self._seen = 0

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seeds the shared generators."""
        seed_global(derive_seed(_PURPOSE, runner.seed, get_rank(), runner.iter))


class _Rest:
    """A sampler without the samples of the steps that are done."""

    def __init__(self, sampler: Any, start: int) -> None:
        self.sampler = sampler
        self.start = start

    def __iter__(self) -> Iterator[int]:
        return islice(self.sampler, self.start, None)

    def __len__(self) -> int:
        return len(self.sampler)


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
            parameters = dict(model_of(runner).named_parameters())
            for name, grad in self._loaded.items():
                parameters[name].grad = grad.to(parameters[name].device)
        self._loaded = None


def _pending(runner: Any) -> dict[str, Tensor]:
    """Returns the gradients that no optimizer step has taken yet."""
    wrapper = runner.optim_wrapper
    # An OptimWrapperDict has no such thing.
    if getattr(wrapper, "_accumulative_counts", 1) == 1 or wrapper.should_update():
        return {}
    return {
        name: parameter.grad
        for name, parameter in model_of(runner).named_parameters()
        if parameter.grad is not None
    }


def model_of(runner: Any) -> Any:
    """Returns a runner's model, without what distributes it."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
