"""Heads."""

from .part_pooling_head import PartPoolingHead

__all__ = ["PartPoolingHead"]
