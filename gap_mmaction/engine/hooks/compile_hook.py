"""CompileBackboneHook: compiles the part of a model that has one shape."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook

from .resumption_hooks import model_of


@HOOKS.register_module()
class CompileBackboneHook(Hook):
    """Lets ``torch.compile`` make one graph of the backbone, for training and tests.

    The rest of a step stays as it is: texts have another shape in every batch. Names of
    parameters and checkpoints stay too. A backbone that cannot be one graph is an error
    of torch's.

    Args:
        mode: ``'default'``, or ``'reduce-overhead'`` for CUDA graphs.
        backend: Backend of ``torch.compile``.
    """

    def __init__(self, mode: str | None = "default", backend: str = "inductor") -> None:
        self.mode, self.backend = mode, backend

    def before_run(self, runner: Any) -> None:
        """Compiles, at the first batch."""
        mode = self.mode if self.backend == "inductor" else None
        model_of(runner).backbone.compile(
            backend=self.backend, mode=mode, fullgraph=True
        )

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Tells CUDA graphs that the outputs of the batch before are not needed."""
        torch.compiler.cudagraph_mark_step_begin()

    before_val_iter = before_test_iter = before_train_iter
