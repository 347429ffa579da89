"""The skeleton pipeline against mmaction2's stock transforms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torch import Tensor

from gap_mmaction.datasets.transforms import FastPreNormalize3D

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
        a clip of two persons and 100 frames. In the second one an annotation holds
        what ``tools/data/pre_normalize.py`` makes of it.
    """
    init_default_scope("mmaction")
    transform = FastPreNormalize3D()
    rng = np.random.default_rng(0)
    shape = (2, CLIP_LEN, 25, 3)
    samples: list[dict[str, Any]] = [
        dict(
            keypoint=rng.normal(size=shape).astype(np.float32),
            total_frames=CLIP_LEN,
            label=0,
        )
        for _ in range(1 if small else SAMPLES)
    ]
    normalized = [
        dict(transform.transform(dict(sample)), pre_normalized=transform.settings())
        for sample in samples
    ]
    stock = _Work("", samples)
    for what, ours in (
        ("", _Work("Fast", samples)),
        (", normalized before", _Work("Fast", normalized)),
    ):
        row = compare(ours, stock, pairs, torch.device("cpu")).summary()
        for key in ("ours_ms", "other_ms"):
            value = row[key]
            row[key] = None if value is None else value / len(samples)
        difference = max(
            float((a - b).abs().max()) for a, b in zip(ours.outputs, stock.outputs)
        )
        yield dict(work=f"clip of 2 x 100 frames{what}", difference=difference, **row)


class _Work:
    """All samples through one pipeline, with the same draws each time."""

    def __init__(self, prefix: str, samples: list[dict[str, Any]]) -> None:
        self.samples = samples
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
        self.outputs = [self.pipeline(dict(x))["inputs"] for x in self.samples]
