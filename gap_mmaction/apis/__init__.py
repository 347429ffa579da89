"""Inference from Python."""

from .part_similarity import PartSimilarity
from .skeleton_inferencer import SkeletonInferencer
from .skeleton_result import SkeletonResult
from .trained_model import load_model, read_weights

__all__ = [
    "PartSimilarity",
    "SkeletonInferencer",
    "SkeletonResult",
    "load_model",
    "read_weights",
]
