"""How models are trained: hooks, checkpoints, optimizer wrappers, the runner."""

from .bfloat16_optim_wrapper import BFloat16OptimWrapper
from .checkpoint_files import BrokenCheckpointError
from .hooks import (
    DurableBackend,
    DurableCheckpointHook,
    FiniteLossHook,
    NonFiniteLossError,
    PendingGradientsHook,
    RandomnessHook,
)

__all__ = [
    "BFloat16OptimWrapper",
    "BrokenCheckpointError",
    "DurableBackend",
    "DurableCheckpointHook",
    "FiniteLossHook",
    "NonFiniteLossError",
    "PendingGradientsHook",
    "RandomnessHook",
]
