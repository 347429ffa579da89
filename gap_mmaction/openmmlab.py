"""What models use of OpenMMLab, or, where mmaction2 is not installed, what stands in.

So :class:`~gap_mmaction.models.GAPLoss` and the backbones serve in a loop of one's own
that knows neither mmengine nor mmaction2.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from torch import nn

from gap_mmaction.compat import has_mmaction

IS_INSTALLED = has_mmaction()

if TYPE_CHECKING or IS_INSTALLED:
    from mmaction.registry import MODELS, TRANSFORMS
    from mmengine.logging import print_log
    from mmengine.model import BaseModule
else:

    class Registry:
        """Classes by their names."""

        def __init__(self) -> None:
            self.module_dict: dict[str, type] = {}

        def register_module(self, module: type | None = None) -> Any:
            """Registers a class; without one, is a decorator that does."""
            if module is None:
                return self.register_module
            self.module_dict[module.__name__] = module
            return module

        def get(self, name: str) -> type | None:
            """Returns the class of a name, None if there is none."""
            return self.module_dict.get(name)

        def build(self, config: dict) -> Any:
            """Builds an object of its config, by the ``type`` in it."""
            arguments = dict(config)
            kind = arguments.pop("type")
            if isinstance(kind, str) and kind not in self.module_dict:
                known = sorted(self.module_dict)
                raise KeyError(f"there is no {kind!r}; use one of {known}")
            return (self.module_dict[kind] if isinstance(kind, str) else kind)(
                **arguments
            )

    class BaseModule(nn.Module):
        """A module with a method for its first weights."""

        def __init__(self, init_cfg: Any = None) -> None:
            super().__init__()

        def init_weights(self) -> None:
            """Leaves the weights as the constructor has drawn them."""

    def print_log(message: str, logger: Any = None, level: int = logging.INFO) -> None:
        """Logs a message."""
        logging.getLogger("gap_mmaction").log(level, message)

    MODELS, TRANSFORMS = Registry(), Registry()

__all__ = ["IS_INSTALLED", "MODELS", "TRANSFORMS", "BaseModule", "print_log"]
