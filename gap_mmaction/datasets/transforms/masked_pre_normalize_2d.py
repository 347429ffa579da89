"""Stock PreNormalize2D that moves nobody who is not there."""

from __future__ import annotations

from typing import Any

from mmaction.datasets.transforms import PreNormalize2D
from mmaction.registry import TRANSFORMS

from gap_mmaction.datasets.transforms.presence import find_presence


@TRANSFORMS.register_module()
class MaskedPreNormalize2D(PreNormalize2D):
    """Scale by the size of the picture; persons stay at zero where they are not there.

    mmaction2's ``PreNormalize2D`` moves their zeros to (-1, -1), the corner of the
    picture, while a second person whom the annotation lacks stays at zero: one clip
    would have two forms.

    Required and modified key: ``keypoint`` ``[M, T, V, 2]`` in pixels; ``img_shape``,
    height and width.

    Args:
        img_shape: Height and width where the annotation has none.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Scale ``results['keypoint']``.

        Args:
            results: The sample.

        Returns:
            The sample.
        """
        absent = ~find_presence(results["keypoint"])
        super().transform(results)
        results["keypoint"][absent] = 0
        return results
