"""What happens around the steps of a training."""

from .durable_checkpoint_hook import DurableBackend, DurableCheckpointHook
from .finite_loss_hook import FiniteLossHook, NonFiniteLossError
from .pending_gradients_hook import PendingGradientsHook
from .randomness_hook import RandomnessHook

__all__ = [
    "DurableBackend",
    "DurableCheckpointHook",
    "FiniteLossHook",
    "NonFiniteLossError",
    "PendingGradientsHook",
    "RandomnessHook",
]
