"""What happens around the steps of a training."""

from typing import Any

from mmengine.model import is_model_wrapper


def model_of(runner: Any) -> Any:
    """Returns a runner's model, without what distributes it."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
