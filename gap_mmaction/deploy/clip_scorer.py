"""A recognizer as one function, from clips to scores, that can be exported."""

from __future__ import annotations

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.models.recognizers import RecognizerGCN
from torch import Tensor, nn

from gap_mmaction.models.data_preprocessors import SkeletonDataPreprocessor

AVERAGES = ("prob", "score", "none")
"""How the scores of a sample's clips become those of the sample."""


class ClipScorer(nn.Module):
    """What a recognizer does at test time: streams, backbone, head, mean over clips.

    Where the backbone has statistics of each person, those that are not given are
    taken as zeros, as ``FormatGCNInput`` pads them.

    Args:
        recognizer: A ``RecognizerGAP`` or a stock ``RecognizerGCN``, whose data
            preprocessor does no more than stacking and streams.
        average: ``"prob"``: the mean over the clips of their probabilities;
            ``"score"``: the mean of their scores; ``"none"``: the scores of each clip.
    """

    def __init__(self, recognizer: RecognizerGCN, average: str = "prob") -> None:
        super().__init__()
        if average not in AVERAGES:
            raise ValueError(f"average={average!r}, use one of {list(AVERAGES)}")
        if not recognizer.with_cls_head:
            raise ValueError("the recognizer has no cls_head, so it gives no scores")
        self.average = average
        self.backbone: nn.Module = recognizer.backbone
        self.head: nn.Module = recognizer.cls_head
        self.preprocessor: nn.Module = recognizer.data_preprocessor
        kind = type(self.preprocessor)
        own = ("_enable_normalize", "to_rgb", "blending")
        if not isinstance(self.preprocessor, SkeletonDataPreprocessor) and (
            kind is not ActionDataPreprocessor
            or any(getattr(self.preprocessor, key) for key in own)
        ):
            raise ValueError(
                f"model.data_preprocessor is a {kind.__name__} with settings of its "
                "own, which is not exported; use SkeletonDataPreprocessor, or "
                "ActionDataPreprocessor as it is by default"
            )
        self.persons = person_limit(self.backbone)
        self.train(recognizer.training)

    def forward(self, clips: Tensor) -> Tensor:
        """Scores the test pipeline's ``inputs``, ``[B, clips, M, T, V, C]``.

        Returns:
            ``[B, classes]``, or ``[B, clips, classes]`` without averaging.
        """
        x = clips
        if isinstance(self.preprocessor, SkeletonDataPreprocessor):
            x = self.preprocessor.to_stream(x)
        if self.persons is not None and self.persons > 1:
            b, n, m, t, v, c = x.shape
            # A person too many is an error here too: a negative number of rows.
            absent = x.new_zeros(b, n, self.persons - m, t, v, c)
            x = torch.cat([x, absent], dim=2)
        scores: Tensor = self.head(self.backbone(x.flatten(0, 1)))
        scores = scores.view(clips.shape[0], clips.shape[1], -1)
        if self.average == "none":
            return scores
        return (scores.softmax(-1) if self.average == "prob" else scores).mean(1)


def person_limit(backbone: nn.Module) -> int | None:
    """Returns the persons of a backbone's input statistics; None if any number fits."""
    channels = getattr(getattr(backbone, "data_bn", None), "num_features", None)
    # mmaction2's backbones say whether their statistics are those of each person.
    if channels is None or getattr(backbone, "data_bn_type", "MVC") != "MVC":
        return None
    width = joints_of(backbone) * int(getattr(backbone, "in_channels", 3))
    return int(channels) // width


def joints_of(backbone: nn.Module) -> int:
    """Returns the number of joints of a backbone of this project or of mmaction2."""
    skeleton = getattr(backbone, "skeleton", None)
    if skeleton is not None:
        return int(skeleton.num_joints)
    graph = getattr(backbone, "graph", None)
    if graph is None or not hasattr(graph, "A"):
        raise ValueError(
            f"the number of joints of a {type(backbone).__name__} is not known here; "
            "only GCN backbones of this project and of mmaction2 are exported"
        )
    return int(graph.A.shape[-1])
