"""RandomnessHook: what a run draws does not depend on where it was interrupted."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import broadcast, get_rank
from mmengine.hooks import Hook

from gap_mmaction.models.text.prompt_bank import PromptBank
from gap_mmaction.utils.randomness import derive_seed, seed_global

# Apart from what else is drawn by the run's seed.
_PURPOSE = 2


@HOOKS.register_module()
class RandomnessHook(Hook):
    """Seeds what is drawn in a training step by seed, rank and number of the step.

    * Before each epoch, the data set (a :class:`SeededDataset`) is told its number.
    * Before each step, the shared generators of numpy, Python and torch (for dropout
      and the like) are seeded.
    * The texts that the text branch draws depend on a seed of its own, which is made
      the same on all ranks.

    A checkpoint holds no state of a generator, hence a run that was killed and resumed
    would otherwise draw other numbers than one that never was. :class:`SkeletonRunner`
    registers it for epoch-based runs.
    """

    priority = "VERY_LOW"

    def before_train(self, runner: Any) -> None:
        """Give all ranks the first one's seed of the prompts.

        With ``diff_rank_seed`` they differ until the run is resumed.

        Args:
            runner: The runner.
        """
        for module in runner.model.modules():
            if isinstance(module, PromptBank):
                # On the device of the model: nccl takes no other.
                seed = torch.tensor([module.seed], device=module.counts.device)
                broadcast(seed)
                module.seed = int(seed)

    def before_train_epoch(self, runner: Any) -> None:
        """Tell the data set the epoch.

        Args:
            runner: The runner.
        """
        # Also where num_batch_per_epoch has wrapped it once more.
        set_epoch = getattr(runner.train_loop.dataloader.dataset, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(runner.epoch)

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed the shared generators.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Not used.
        """
        seed_global(derive_seed(_PURPOSE, runner.seed, get_rank(), runner.iter))
