"""Inference from Python."""

from .clip_features import (
    ClipFeatures,
    Match,
    compute_clip_features,
    extract_features,
    rank_clips,
)
from .part_similarity import PartSimilarity
from .skeleton_inferencer import SkeletonInferencer, SkeletonResult
from .timeline import ActionTimeline, Segment
from .trained_model import load_model, read_weights
from .unknown import Unknown

__all__ = [
    "ActionTimeline",
    "ClipFeatures",
    "Match",
    "PartSimilarity",
    "Segment",
    "SkeletonInferencer",
    "SkeletonResult",
    "Unknown",
    "compute_clip_features",
    "extract_features",
    "load_model",
    "rank_clips",
    "read_weights",
]
