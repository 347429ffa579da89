"""Backbones."""

from .ctr_baseline import CTRBaseline
from .ctrgcn import CTRGCN, convert_authors_state_dict

__all__ = ["CTRGCN", "CTRBaseline", "convert_authors_state_dict"]
