"""Heads."""

from .foreign_head import ForeignHead
from .part_classifier import PartClassifier
from .part_pooling_head import PartPoolingHead
from .training_branch import TrainingBranch

__all__ = ["ForeignHead", "PartClassifier", "PartPoolingHead", "TrainingBranch"]
