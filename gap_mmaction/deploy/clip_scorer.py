"""A recognizer as one function, from clips to scores, that can be exported."""

from __future__ import annotations

from typing import Any

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
        recognizer: A ``RecognizerGAP`` or a stock ``RecognizerGCN``.
        average: ``"prob"``: the mean over the clips of their probabilities;
            ``"score"``: the mean of their scores; ``"none"``: the scores of each clip.

    Raises:
        ValueError: If the recognizer has no head, its data preprocessor does something
            else than stacking and streams, or ``average`` is unknown.
    """

    def __init__(self, recognizer: RecognizerGCN, average: str = "prob") -> None:
        super().__init__()
        if average not in AVERAGES:
            raise ValueError(f"average={average!r}, use one of {list(AVERAGES)}")
        head = getattr(recognizer, "cls_head", None)
        if head is None:
            raise ValueError("the recognizer has no cls_head, so it gives no scores")
        self.average = average
        self.backbone: nn.Module = recognizer.backbone
        self.head: nn.Module = head
        self.preprocessor = _check_preprocessor(recognizer.data_preprocessor)
        self.persons = person_limit(self.backbone)
        self.train(recognizer.training)

    def forward(self, clips: Tensor) -> Tensor:
        """Score clips.

        Args:
            clips: ``[B, clips, M, T, V, C]``, what the test pipeline gives as
                ``inputs``, stacked.

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
        if self.average == "prob":
            scores = scores.softmax(-1)
        return scores.mean(1)


def average_of(recognizer: RecognizerGCN) -> str:
    """Give how the head of a recognizer averages clips, in the words used here."""
    average: Any = getattr(recognizer.cls_head, "average_clips", None)
    return "none" if average is None else str(average)


def person_limit(backbone: nn.Module) -> int | None:
    """Give the number of persons that a backbone's input statistics are for.

    Returns:
        None where any number fits, as with statistics that the persons share.
    """
    channels = getattr(getattr(backbone, "data_bn", None), "num_features", None)
    # mmaction2's backbones say whether their statistics are those of each person.
    if channels is None or getattr(backbone, "data_bn_type", "MVC") != "MVC":
        return None
    width = joints_of(backbone) * int(getattr(backbone, "in_channels", 3))
    return int(channels) // width


def joints_of(backbone: nn.Module) -> int:
    """Give the number of joints of a backbone of this project or of mmaction2."""
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


def _check_preprocessor(preprocessor: nn.Module) -> nn.Module:
    if isinstance(preprocessor, SkeletonDataPreprocessor):
        return preprocessor
    plain = type(preprocessor) is ActionDataPreprocessor
    if plain and not (
        preprocessor._enable_normalize
        or preprocessor.to_rgb
        or preprocessor.blending is not None
    ):
        return preprocessor
    raise ValueError(
        f"model.data_preprocessor is a {type(preprocessor).__name__} with settings of "
        "its own, which is not exported; use SkeletonDataPreprocessor, or "
        "ActionDataPreprocessor as it is by default"
    )
