"""Bring a sequence to a fixed number of frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

_REPEATS = 100


def draw_frames(num_frames: int, clip_len: int) -> np.ndarray:
    """Draw frames at random, in order, from 100 copies of each.

    Args:
        num_frames: Frames of the sequence.
        clip_len: How many to draw.

    Returns:
        Sorted 0-based indices ``[clip_len]``; frames repeat.
    """
    # More copies only where a very short sequence has too few for the draw.
    repeats = max(_REPEATS, -(-clip_len // num_frames))
    drawn = np.random.choice(num_frames * repeats, clip_len, replace=False)
    return np.sort(drawn % num_frames)


def spread_frames(num_frames: int, clip_len: int) -> np.ndarray:
    """Spread frames evenly from the first to the last.

    Args:
        num_frames: Frames of the sequence.
        clip_len: How many to take.

    Returns:
        Sorted 0-based indices ``[clip_len]``, ``linspace`` cut to integers.
    """
    return np.linspace(0, num_frames - 1, clip_len).astype(np.int64)


@TRANSFORMS.register_module()
class SampleSortedFrames(BaseTransform):
    """Take ``clip_len`` frames: at random in training, evenly spread in testing.

    As in the NW-UCLA feeder of CTR-GCN. Unlike stock ``UniformSampleFrames`` it takes
    the frames itself, so that no ``PoseDecode`` has to follow. It comes after the
    transforms that move coordinates.

    Required keys: ``keypoint`` ``[M, T, V, C]``; optional ``keypoint_score``
    ``[M, T, V]``.
    Modified keys: ``keypoint`` float32 ``[M, clip_len, V, C]``, ``keypoint_score``,
    ``total_frames``.
    Added keys: ``clip_len``, ``frame_interval`` and ``num_clips``.

    Args:
        clip_len: Number of frames. Defaults to 52.
        test_mode: Whether to spread frames evenly. Defaults to False.

    Raises:
        ValueError: If ``clip_len`` is not positive.
    """

    def __init__(self, clip_len: int = 52, test_mode: bool = False) -> None:
        if clip_len < 1:
            raise ValueError(f"SampleSortedFrames: clip_len={clip_len}, must be >= 1")
        self.clip_len = clip_len
        self.test_mode = test_mode

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Take frames of ``results['keypoint']``.

        Args:
            results: The sample.

        Returns:
            The sample.
        """
        choose = spread_frames if self.test_mode else draw_frames
        indices = choose(results["keypoint"].shape[1], self.clip_len)
        for key in ("keypoint", "keypoint_score"):
            if key in results:
                results[key] = results[key][:, indices].astype(np.float32)
        # No 'frame_inds': a PoseDecode further down would apply them a second time.
        results["total_frames"] = self.clip_len
        results["clip_len"] = self.clip_len
        results["frame_interval"] = None
        results["num_clips"] = 1
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(clip_len={self.clip_len}, "
            f"test_mode={self.test_mode})"
        )
