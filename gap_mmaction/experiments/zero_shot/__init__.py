"""Zero-shot recognition: training without some classes, and naming those by texts."""

from .class_split import ClassSplit, draw_splits
from .experiment import ZeroShotExperiment
from .other_set import match_sets
from .report import to_json, to_markdown
from .run_configs import ZeroShotConfigs

__all__ = [
    "ClassSplit",
    "ZeroShotConfigs",
    "ZeroShotExperiment",
    "draw_splits",
    "match_sets",
    "to_json",
    "to_markdown",
]
