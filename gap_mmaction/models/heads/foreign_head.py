"""ForeignHead: the classifier that a model of others has itself."""

from __future__ import annotations

from typing import Any

from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class ForeignHead(BaseHead):
    """Takes the logits of a ``FeatureHook(logits=True)``; has no parameters.

    The arguments are those of mmaction2's ``BaseHead``. ``in_channels`` are the
    channels of the feature map, for the text branch.
    """

    def __init__(self, *args: Any, average_clips: str = "prob", **kwargs: Any) -> None:
        super().__init__(*args, average_clips=average_clips, **kwargs)

    def forward(self, x: tuple[Tensor, Tensor]) -> Tensor:
        """Returns the logits ``[N, classes]`` beside a map."""
        if (classes := x[1].shape[1]) != self.num_classes:
            raise ValueError(
                f"the model in model.backbone has {classes} classes, model.cls_head."
                f"num_classes is {self.num_classes}; set both to those of the data"
            )
        return x[1]
