"""Data sets and transforms."""

from gap_mmaction.datasets.safe_pose_dataset import SafePoseDataset
from gap_mmaction.datasets.seeded_dataset import SeededDataset
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
    "SafePoseDataset",
    "SampleSortedFrames",
    "SeededDataset",
    "ValidCropResize",
]
