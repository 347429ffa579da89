"""Heads."""

from .part_classifier import PartClassifier
from .part_pooling_head import PartPoolingHead

__all__ = ["PartClassifier", "PartPoolingHead"]
