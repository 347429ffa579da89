"""Inference from Python."""

from .clip_features import ClipFeatures
from .feature_extraction import extract_features
from .part_similarity import PartSimilarity
from .retrieval import Match, rank_clips
from .skeleton_inferencer import SkeletonInferencer
from .skeleton_result import SkeletonResult
from .trained_model import load_model, read_weights

__all__ = [
    "ClipFeatures",
    "Match",
    "PartSimilarity",
    "SkeletonInferencer",
    "SkeletonResult",
    "extract_features",
    "load_model",
    "rank_clips",
    "read_weights",
]
