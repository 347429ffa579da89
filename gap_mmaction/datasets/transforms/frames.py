"""Transforms that bring a sequence to a fixed number of frames.

Unlike stock ``UniformSampleFrames`` they take the frames themselves, so that no
``PoseDecode`` has to follow. They come after the transforms that move coordinates.

Required key: ``keypoint`` ``[M, T, V, C]``, becomes float32 ``[M, clip_len, V, C]``;
optional ``keypoint_score`` ``[M, T, V]``, which is treated alike. Modified:
``total_frames``. Added: ``clip_len``, ``frame_interval`` and ``num_clips``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmaction.registry import TRANSFORMS

from .coordinates import ShownTransform

_SHORTEST_SPAN = 64  # of the feeder, whatever the number of frames it resizes to


def _take_clip(
    results: dict[str, Any], clip_len: int, take: Callable[[np.ndarray], np.ndarray]
) -> dict[str, Any]:
    """Cuts coordinates and confidence ``[M, T, ...]`` alike, and names the clip."""
    for key in ("keypoint", "keypoint_score"):
        if key in results:
            results[key] = take(results[key]).astype(np.float32, copy=False)
    # No 'frame_inds': a PoseDecode further down would apply them a second time.
    results.update(total_frames=clip_len, clip_len=clip_len, frame_interval=None)
    results["num_clips"] = 1
    return results


def draw_frames(num_frames: int, clip_len: int) -> np.ndarray:
    """Draws 0-based indices ``[clip_len]``, sorted, from 100 copies of each frame."""
    # More copies only where a very short sequence has too few for the draw.
    repeats = max(100, -(-clip_len // num_frames))
    drawn = np.random.choice(num_frames * repeats, clip_len, replace=False)
    return np.sort(drawn % num_frames)


def spread_frames(num_frames: int, clip_len: int) -> np.ndarray:
    """Spreads frames evenly: ``linspace`` cut to 0-based indices ``[clip_len]``."""
    return np.linspace(0, num_frames - 1, clip_len).astype(np.int64)


@TRANSFORMS.register_module()
class SampleSortedFrames(ShownTransform):
    """Take ``clip_len`` frames: at random in training, evenly spread in testing.

    As in the NW-UCLA feeder of CTR-GCN.
    """

    def __init__(self, clip_len: int = 52, test_mode: bool = False) -> None:
        if clip_len < 1:
            raise ValueError(f"SampleSortedFrames: clip_len={clip_len}, must be >= 1")
        self.clip_len = clip_len
        self.test_mode = test_mode

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Takes frames of ``results['keypoint']``."""
        choose = spread_frames if self.test_mode else draw_frames
        indices = choose(results["keypoint"].shape[1], self.clip_len)
        return _take_clip(results, self.clip_len, lambda values: values[:, indices])


def crop_random(num_frames: int, low: float, high: float) -> tuple[int, int]:
    """Draws first frame and end of a span with a share of T between two.

    It has at least 64 frames where there are so many.
    """
    share = np.random.rand(1)[0] * (high - low) + low
    length = min(max(int(num_frames * share), _SHORTEST_SPAN), num_frames)
    start = int(np.random.randint(0, num_frames - length + 1))
    return start, start + length


def resize_frames(values: np.ndarray, clip_len: int) -> np.ndarray:
    """Resizes ``[M, T, ...]`` to float32 ``[M, clip_len, ...]``, linearly."""
    rows = values.reshape(*values.shape[:2], -1).swapaxes(1, 2).astype(np.float32)
    resized = F.interpolate(torch.from_numpy(rows), clip_len, mode="linear").numpy()
    return resized.swapaxes(1, 2).reshape(len(values), clip_len, *values.shape[2:])


@TRANSFORMS.register_module()
class ValidCropResize(ShownTransform):
    """Cut a span out of a sequence and interpolate it to ``clip_len`` frames.

    As in the NTU feeder of CTR-GCN and GAP (GAP, section 4.2: "each sample is resized
    to 64 frames"). With one share in ``p_interval`` the span is in the middle, with two
    it is drawn: its share between them, then its place, from numpy's global generator.
    A drawn span has no fewer than 64 frames if the sequence has them.

    The sequence is its first n frames, n being the *number* of frames whose coordinates
    do not sum up to zero. This is the feeder's rule: n is the length of one that is
    padded with zeros at the end, but where there are empty frames before or within,
    these stay and as many real ones at the end are lost. (``SafePoseDataset`` has left
    out those before.)

    Args:
        clip_len: Number of frames.
        p_interval: One share of the frames, for testing, or the smallest and the
            largest, for training, in (0, 1].
    """

    def __init__(
        self, clip_len: int = 64, p_interval: Sequence[float] = (0.95,)
    ) -> None:
        if clip_len < 1:
            raise ValueError(f"ValidCropResize: clip_len={clip_len}, must be >= 1")
        shares = tuple(p_interval)
        if (
            len(shares) not in (1, 2)
            or not all(0 < share <= 1 for share in shares)
            or shares[0] > shares[-1]
        ):
            raise ValueError(
                f"ValidCropResize: p_interval={p_interval!r}; give one share of the "
                "frames in (0, 1], such as (0.95,), or the smallest and the largest, "
                "such as (0.5, 1.0)"
            )
        self.clip_len = clip_len
        self.p_interval = shares

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cuts and resizes ``results['keypoint']``."""
        sums = results["keypoint"].sum(axis=(0, 2, 3), dtype=np.float64)
        count = int(np.count_nonzero(sums))
        if not count:
            raise ValueError(
                f"ValidCropResize: in every frame of '{results.get('frame_dir')}' the "
                "coordinates sum up to zero: nobody is there; remove the sequence from "
                "the annotations and the split"
            )
        if len(self.p_interval) == 2:
            start, end = crop_random(count, *self.p_interval)
        else:
            start = int((1 - self.p_interval[0]) * count / 2)
            end = count - start
        span, length = slice(start, end), self.clip_len
        return _take_clip(results, length, lambda x: resize_frames(x[:, span], length))
