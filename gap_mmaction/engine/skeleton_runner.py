"""A Runner whose runs can be killed and resumed without a trace."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import LOOPS, RUNNERS
from mmengine.dist import broadcast_object_list
from mmengine.hooks import EMAHook
from mmengine.logging import MMLogger
from mmengine.model import ExponentialMovingAverage
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop

from gap_mmaction.datasets.seeded_dataset import SeededDataset
from gap_mmaction.utils.checkpoint_fit import CheckpointError

from .checkpoint_files import PLACES, check_settings, find_resumable, read_meta
from .hooks.resumption_hooks import PendingGradientsHook, RandomnessHook

_HAVE_FUSED = ("SGD", "Adam", "AdamW")

# exp(-3): about three times as many steps as the average reaches back over.
_LEFT = 0.05


@RUNNERS.register_module()
class SkeletonRunner(Runner):
    """MMEngine's Runner, made safe against interruptions.

    * Training data of epoch-based loops become a :class:`SeededDataset`, and
      :class:`RandomnessHook` and :class:`PendingGradientsHook` are registered: an
      interrupted and resumed run computes what an uninterrupted one does.
    * A run resumes from a checkpoint that is whole, with the seed that the interrupted
      run had, also where MMEngine has drawn it.
    * A checkpoint that does not fit the model is named in the error.
    * Only a training leaves its config in the work dir; a test would put its own in
      that one's place, without the text branch and with files to write to.
    """

    # Of MMEngine, which has no types.
    _train_dataloader: Any
    _resume: bool | str
    _load_from: str | None

    def setup_env(self, env_cfg: dict) -> None:
        """Sets up as MMEngine does, and what ``float32_matmul_precision`` says.

        For CUDA alone; see ``torch.set_float32_matmul_precision``.
        """
        super().setup_env(env_cfg)
        precision = env_cfg.get("float32_matmul_precision")
        if precision is not None and torch.cuda.is_available():
            torch.set_float32_matmul_precision(precision)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Builds it; on CUDA the optimizer is fused, unless ``fused`` says otherwise.

        A fused one takes the gradient scaler's state without asking the device.
        """
        settings = optim_wrapper if isinstance(optim_wrapper, dict) else {}
        optimizer = settings.get("optimizer") or {}
        if torch.cuda.is_available() and optimizer.get("type") in _HAVE_FUSED:
            optim_wrapper = {**settings, "optimizer": {"fused": True, **optimizer}}
        return super().build_optim_wrapper(optim_wrapper)

    def train(self) -> Any:
        """Trains; with ``resume``, goes on from the last good checkpoint.

        With ``resume="auto"`` this is one of the work dir, and ``load_from`` has the
        weights that a run starts with where there is none.

        Raises:
            FileNotFoundError: If the checkpoint to resume from is not there.
            ValueError: If none can be read, or it would overrule the config.
        """
        self._settle_resumption()
        if self._is_epoch_based():
            for hook in (RandomnessHook, PendingGradientsHook):
                if not any(isinstance(own, hook) for own in self.hooks):
                    self.register_hook(hook())
        return super().train()

    def dump_config(self) -> None:
        """Leaves it to :meth:`load_or_resume`: MMEngine does it before any check."""

    def load_or_resume(self) -> None:
        """Loads weights or a run's state; then writes a training's config: all is well.

        Raises:
            CheckpointError: If the checkpoint is of another model.
        """
        try:
            super().load_or_resume()
        except ValueError as error:
            if "parameter group" not in str(error):
                raise
            raise CheckpointError(
                f"{self._load_from}: its optimizer has other parameters than the model "
                f"({error}). Set `model` as in the config of its work dir, or start "
                "anew from its weights: load_from instead of --resume"
            ) from error
        if not isinstance(self._train_loop, BaseLoop):
            return  # a test
        super().dump_config()
        for hook in self.hooks:
            if isinstance(hook, EMAHook):
                self._check_average(hook)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Builds the training loop, around data that are seeded for each sample.

        Raises:
            ValueError: If there is no batch, or ranks get batches of different sizes.
        """
        loader = self._train_dataloader
        if isinstance(loader, dict) and self._is_epoch_based():
            # The first rank's seed, from which others may differ.
            differ = bool(self._randomness_cfg.get("diff_rank_seed"))
            seeded = {"type": SeededDataset, "seed": self.seed - self.rank * differ}
            loader = copy.deepcopy(loader)
            loader["dataset"] = {**seeded, "dataset": loader["dataset"]}
            self._train_dataloader = loader
        built = super().build_train_loop(loop)
        if not len(built.dataloader):
            raise ValueError(
                f"train_dataloader: {len(built.dataloader.dataset)} samples over "
                f"{self.world_size} processes fill no batch of "
                f"{built.dataloader.batch_size}, and drop_last leaves out what does "
                "not; set a smaller batch_size, or drop_last=False"
            )
        sampler = getattr(built.dataloader, "sampler", None)
        if self.distributed and not getattr(sampler, "round_up", True):
            raise ValueError(
                "train_dataloader.sampler.round_up=False gives the processes batches "
                "of different sizes, over which neither losses nor gradients can be "
                "averaged; remove it (it is for testing)"
            )
        return built

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Builds the schedulers; a place in them that is a float is a share of all."""
        return super().build_param_scheduler(_to_steps(scheduler, self.max_iters))

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Builds the logger; what is below ``console_level`` goes to its file only."""
        logger = super().build_logger(*args, **kwargs)
        level = self.cfg.get("console_level", logging.NOTSET)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.setLevel(max(handler.level, level))
        return logger

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> Any:
        """Loads a checkpoint; names the file in a :class:`CheckpointError`."""
        try:
            return super().load_checkpoint(filename, *args, **kwargs)
        except CheckpointError as error:
            raise CheckpointError(f"{filename}: {error}") from error

    def _check_average(self, hook: EMAHook) -> None:
        """Warns where an average of the weights is still near the first ones."""
        average = hook.ema_model
        if type(average) is not ExponentialMovingAverage:
            return  # of those with a momentum, it alone does not warm up
        first = max(hook.begin_iter, hook.begin_epoch * len(self.train_dataloader))
        steps = (self.max_iters - first) // average.interval
        left = (1 - average.momentum) ** steps
        if left > _LEFT:
            self.logger.warning(
                f"EMAHook: after this run's {steps} steps the average with momentum "
                f"{average.momentum} still has {left:.0%} of the weights that it began "
                "with, and tests use it. Set in the hook ema_type="
                "'ForeachEMA', gamma=10, or a momentum of at least "
                f"{3 / max(steps, 3):.2g}."
            )

    def _settle_resumption(self) -> None:
        """Chooses the checkpoint to resume from, on one rank for all, and its seed.

        Before the loop is built: MMEngine takes over the seed of the checkpoint when
        the sampler has been made with another one already.
        """
        if not self._resume or self._has_loaded:
            return
        if self._resume != "auto" and "://" in str(self._load_from):
            return
        decided: list[Any] = [None]
        if self.rank == 0:
            try:
                decided = [self._choose_checkpoint()]
            except (OSError, RuntimeError, ValueError) as error:
                decided = [error]  # for the other ranks, which would wait
        broadcast_object_list(decided)
        if isinstance(decided[0], Exception):
            raise decided[0]
        path, seed = decided[0]
        if path is None:
            self.logger.info(f"No checkpoint in {self.work_dir}: training starts anew.")
            self._resume = False
            return
        self._load_from = path
        configured = self._randomness_cfg.get("seed")
        if seed is None or seed == configured:
            return
        text = f"The seed is {seed}, that of the interrupted run ({path})"
        if configured is None:
            self.logger.info(f"{text}.")
        else:
            self.logger.warning(f"{text}, not {configured} as configured.")
        self._randomness_cfg.update(seed=seed)
        self.set_randomness(**self._randomness_cfg)

    def _choose_checkpoint(self) -> tuple[str | None, int | None]:
        """Returns the checkpoint and the run's seed in it."""
        if self._load_from and self._resume != "auto":
            path: Path | None = Path(self._load_from)
        else:
            path = find_resumable(Path(self.work_dir))
        if path is None:
            return None, None
        meta = read_meta(path)
        check_settings(path, meta, self.cfg.pretty_text)
        return str(path), meta.get("seed")

    def _is_epoch_based(self) -> bool:
        loop = self._train_loop
        if not isinstance(loop, dict):
            return isinstance(loop, EpochBasedTrainLoop)
        kind = loop.get("type")
        if kind is None:
            return bool(loop.get("by_epoch", True))
        kind = LOOPS.get(kind) if isinstance(kind, str) else kind
        return isinstance(kind, type) and issubclass(kind, EpochBasedTrainLoop)


def _to_steps(scheduler: Any, steps: int) -> Any:
    """Turns the shares in configs of schedulers into steps of a training."""

    def place(position: Any) -> Any:
        if isinstance(position, (list, tuple)):
            return [place(item) for item in position]
        return math.ceil(position * steps) if isinstance(position, float) else position

    if isinstance(scheduler, (list, tuple)):
        every = [_to_steps(item, steps) for item in scheduler]
        # A warm-up as long as a training of a single step leaves nothing to follow it.
        return [item for item in every if item is not None]
    if not isinstance(scheduler, Mapping):
        return scheduler
    if "type" not in scheduler:  # of several optimizers, by name
        return {name: _to_steps(item, steps) for name, item in scheduler.items()}
    placed = {key: place(scheduler[key]) for key in PLACES if key in scheduler}
    if all(scheduler[key] == value for key, value in placed.items()):
        return scheduler
    if placed.get("begin", 0) >= placed.get("end", steps):
        return None
    return {**scheduler, **placed, "by_epoch": False}
