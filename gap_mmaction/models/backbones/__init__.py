"""Backbones."""

from . import joined  # noqa: F401 (it registers its forms, as the next ones do)
from .cpu import graph_conv, temporal_conv  # noqa: F401
from .ctr_baseline import CTRBaseline
from .ctrgcn import CTRGCN, convert_authors_state_dict
from .feature_hook import FeatureHook, map_of
from .forms import plain_path

__all__ = [
    "CTRGCN",
    "CTRBaseline",
    "FeatureHook",
    "convert_authors_state_dict",
    "map_of",
    "plain_path",
]
