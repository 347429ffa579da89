"""MaskedPreNormalize2D."""

from __future__ import annotations

import numpy as np
from mmaction.datasets.transforms import PreNormalize2D

from gap_mmaction.datasets.transforms import MaskedPreNormalize2D


def test_stock_for_those_who_are_there() -> None:
    keypoint = np.random.default_rng(0).uniform(1, 480, (2, 6, 17, 2))
    keypoint[1, 2:] = 0
    sample = {"keypoint": keypoint.copy(), "img_shape": (480, 640)}
    stock = PreNormalize2D().transform({**sample, "keypoint": keypoint.copy()})
    ours = MaskedPreNormalize2D().transform(sample)["keypoint"]
    assert (stock["keypoint"][1, 2:] == -1).all()
    stock["keypoint"][1, 2:] = 0
    np.testing.assert_array_equal(ours, stock["keypoint"])
