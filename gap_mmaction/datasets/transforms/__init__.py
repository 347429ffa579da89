"""Transforms that mmaction2 lacks, and some of its own, corrected or made fast."""

from .coordinates import (
    CenterSkeleton,
    MaskedPreNormalize2D,
    MinMaxNormalize3D,
    RandomRotation3D,
    RandomViewRotation,
)
from .fast_transforms import FastPreNormalize3D, FastUniformSampleFrames
from .frames import SampleSortedFrames, ValidCropResize

__all__ = [
    "CenterSkeleton",
    "FastPreNormalize3D",
    "FastUniformSampleFrames",
    "MaskedPreNormalize2D",
    "MinMaxNormalize3D",
    "RandomRotation3D",
    "RandomViewRotation",
    "SampleSortedFrames",
    "ValidCropResize",
]
