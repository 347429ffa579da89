"""Zero-shot recognition: training without some classes, and naming those by texts."""

from .class_split import ClassSplit, draw_splits
from .experiment import ZeroShotExperiment
from .report import to_json, to_markdown
from .run_configs import ZeroShotConfigs

__all__ = [
    "ClassSplit",
    "ZeroShotConfigs",
    "ZeroShotExperiment",
    "draw_splits",
    "to_json",
    "to_markdown",
]
