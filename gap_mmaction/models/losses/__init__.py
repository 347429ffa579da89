"""Losses."""

from .multi_part_contrastive_loss import MultiPartContrastiveLoss

__all__ = ["MultiPartContrastiveLoss"]
