"""Backbones."""

from .cpu import graph_conv, temporal_conv  # noqa: F401 (they register their forms)
from .ctr_baseline import CTRBaseline
from .ctrgcn import CTRGCN, convert_authors_state_dict

__all__ = ["CTRGCN", "CTRBaseline", "convert_authors_state_dict"]
