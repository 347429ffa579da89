"""The skeleton pipeline against mmaction2's stock transforms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torch import Tensor

from .measure import compare

CLIP_LEN = 100
SAMPLES = 20


def measure_pipeline(pairs: int, small: bool = False) -> Iterator[dict[str, Any]]:
    """Compare the six transforms of mmaction2's skeleton configs.

    Args:
        pairs: How often each is timed.
        small: Whether with one sample at a time, to try the command out.

    Yields:
        A summary, see :meth:`gap_mmaction.benchmark.measure.Comparison.summary`, with
        ``work`` and ``difference``, the largest one of the outputs. Times are those of
        a clip of two persons and 100 frames.
    """
    init_default_scope("mmaction")
    rng = np.random.default_rng(0)
    shape = (2, CLIP_LEN, 25, 3)
    keypoints = [
        rng.normal(size=shape).astype(np.float32)
        for _ in range(1 if small else SAMPLES)
    ]
    ours, stock = (_Work(prefix, keypoints) for prefix in ("Fast", ""))
    row = compare(ours, stock, pairs, torch.device("cpu")).summary()
    for key in ("ours_ms", "other_ms"):
        value = row[key]
        row[key] = None if value is None else value / len(keypoints)
    difference = max(
        float((a - b).abs().max()) for a, b in zip(ours.outputs, stock.outputs)
    )
    yield dict(work="clip of 2 x 100 frames", difference=difference, **row)


class _Work:
    """All samples through one pipeline, with the same draws each time."""

    def __init__(self, prefix: str, keypoints: list[np.ndarray]) -> None:
        self.keypoints = keypoints
        self.outputs: list[Tensor] = []
        self.pipeline = Compose(
            [
                dict(type=f"{prefix}PreNormalize3D"),
                dict(type="GenSkeFeat", dataset="nturgb+d", feats=["j"]),
                dict(type=f"{prefix}UniformSampleFrames", clip_len=CLIP_LEN),
                dict(type="PoseDecode"),
                dict(type="FormatGCNInput", num_person=2),
                dict(type="PackActionInputs"),
            ]
        )

    def __call__(self) -> None:
        np.random.seed(0)
        self.outputs = [
            self.pipeline(dict(keypoint=x, total_frames=CLIP_LEN, label=0))["inputs"]
            for x in self.keypoints
        ]
