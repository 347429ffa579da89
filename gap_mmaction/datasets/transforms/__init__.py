"""Transforms that mmaction2 lacks, and some of its own, mended or made fast."""

from gap_mmaction.datasets.transforms.center_skeleton import CenterSkeleton
from gap_mmaction.datasets.transforms.fast_pre_normalize_3d import FastPreNormalize3D
from gap_mmaction.datasets.transforms.fast_uniform_sample_frames import (
    FastUniformSampleFrames,
)
from gap_mmaction.datasets.transforms.masked_pre_normalize_2d import (
    MaskedPreNormalize2D,
)
from gap_mmaction.datasets.transforms.minmax_normalize_3d import MinMaxNormalize3D
from gap_mmaction.datasets.transforms.random_rotation_3d import RandomRotation3D
from gap_mmaction.datasets.transforms.random_view_rotation import RandomViewRotation
from gap_mmaction.datasets.transforms.sample_sorted_frames import SampleSortedFrames
from gap_mmaction.datasets.transforms.valid_crop_resize import ValidCropResize

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
