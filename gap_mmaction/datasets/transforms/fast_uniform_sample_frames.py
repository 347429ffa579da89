"""Stock UniformSampleFrames without its loop over frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmaction.datasets.transforms import UniformSampleFrames
from mmaction.registry import TRANSFORMS


@TRANSFORMS.register_module()
class FastUniformSampleFrames(UniformSampleFrames):
    """Draw the frames that mmaction2's ``UniformSampleFrames`` draws, in a tenth.

    The stock transform looks through all frames for those in which persons come and go,
    to round the indices there; the indices are whole numbers in any case. The draws are
    the same, from numpy's global generator.

    Required keys: ``total_frames``, and ``keypoint`` ``[M, T, V, C]`` or neither of
    it. Added: ``frame_inds``, int32 ``[num_clips * clip_len]``, ``clip_len``,
    ``frame_interval`` (None) and ``num_clips``.

    Args:
        clip_len: Frames per clip.
        num_clips: Clips per sample.
        test_mode: Whether to seed the draws, for the same frames each time.
        seed: The seed in test mode.

    Raises:
        ValueError: If ``total_frames`` is not the number of frames.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw frames.

        Args:
            results: The sample.

        Returns:
            The sample.
        """
        num_frames = results["total_frames"]
        keypoint = results.get("keypoint")
        if keypoint is not None and keypoint.shape[1] != num_frames:
            raise ValueError(
                f"{type(self).__name__}: 'total_frames' of "
                f"'{results.get('frame_dir')}' is {num_frames}, but 'keypoint' has "
                f"{keypoint.shape[1]} frames; correct the annotation"
            )
        draw = self._get_test_clips if self.test_mode else self._get_train_clips
        frames = np.mod(draw(num_frames, self.clip_len), num_frames)
        frames = frames + results.get("start_index", 0)
        results["frame_inds"] = frames.astype(np.int32)
        results["clip_len"] = self.clip_len
        results["frame_interval"] = None
        results["num_clips"] = self.num_clips
        return results
