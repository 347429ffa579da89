"""How models are trained: hooks, checkpoints, optimizer wrappers, the runner."""

from .bfloat16_optim_wrapper import BFloat16OptimWrapper
from .checkpoint_files import BrokenCheckpointError
from .foreach_ema import ForeachEMA
from .hooks.compile_hook import CompileBackboneHook
from .hooks.durable_checkpoint_hook import DurableBackend, DurableCheckpointHook
from .hooks.finite_loss_hook import FiniteLossHook, NonFiniteLossError
from .hooks.resumption_hooks import PendingGradientsHook, RandomnessHook

__all__ = [
    "BFloat16OptimWrapper",
    "BrokenCheckpointError",
    "CompileBackboneHook",
    "DurableBackend",
    "DurableCheckpointHook",
    "FiniteLossHook",
    "ForeachEMA",
    "NonFiniteLossError",
    "PendingGradientsHook",
    "RandomnessHook",
]
