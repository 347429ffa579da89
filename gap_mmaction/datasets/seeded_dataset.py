"""SeededDataset: augmentation as a function of seed, epoch and sample."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.registry import DATASETS

from gap_mmaction.utils.randomness import seeded

_PURPOSE = 1  # apart from what else is drawn by the run's seed


@DATASETS.register_module()
class SeededDataset:
    """A data set whose samples depend on the seed, the epoch and the index alone.

    By themselves, what transforms draw depends on everything drawn before: on the
    number of workers and processes, and on where a run was interrupted. Here numpy's,
    Python's and torch's generators are seeded for each sample and put back afterwards.

    It goes around all other wrappers: a sample that ``RepeatDataset`` gives five times
    an epoch is drawn anew each time. :class:`SkeletonRunner` wraps the training data of
    epoch-based runs; a config needs not. ``dataset`` may be a config.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.seed = seed
        # Shared memory, as workers that persist have a copy of all else.
        self._epoch = torch.zeros((), dtype=torch.long).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch before the loader is iterated, also for workers that run."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> Any:
        with seeded(_PURPOSE, self.seed, int(self._epoch), index):
            return self.dataset[index]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        # Not __getitems__, by which a loader would go past the seeds; and nothing
        # before there is a data set, while this is being copied.
        if name.startswith("__") or "dataset" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.dataset, name)
