"""Data sets and transforms."""

from gap_mmaction.datasets.seeded_dataset import SeededDataset
from gap_mmaction.datasets.skeleton_dataset import SkeletonDataset
from gap_mmaction.datasets.transforms import (
    CenterSkeleton,
    MinMaxNormalize3D,
    RandomRotation3D,
    RandomViewRotation,
    SampleSortedFrames,
    ValidCropResize,
)

__all__ = [
    "CenterSkeleton",
    "MinMaxNormalize3D",
    "RandomRotation3D",
    "RandomViewRotation",
    "SampleSortedFrames",
    "SeededDataset",
    "SkeletonDataset",
    "ValidCropResize",
]
