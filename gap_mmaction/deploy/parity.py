"""Whether an exported model gives what torch gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from mmaction.models.recognizers import RecognizerGCN
from torch import Tensor

from .clip_scorer import ClipScorer

Scorer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Parity:
    """Two models' scores side by side.

    Attributes:
        samples: How many samples, or clips where they are not averaged.
        same_labels: For how many both have the highest score at the same class.
        difference: The largest difference of two scores.
        largest: The largest score of the reference, in absolute value.
    """

    samples: int
    same_labels: int
    difference: float
    largest: float

    def holds(self, tolerance: float) -> bool:
        """Whether all labels are the same and all scores are close.

        Args:
            tolerance: The largest difference, in units of the largest score, and of 1
                where that is less.
        """
        close = self.difference <= tolerance * max(self.largest, 1.0)
        return self.samples > 0 and self.same_labels == self.samples and close

    def __str__(self) -> str:
        return (
            f"{self.same_labels:,} of {self.samples:,} labels the same, largest "
            f"difference of the scores {self.difference:.2e} (largest score "
            f"{self.largest:.3g})"
        )


class RecognizerScorer:
    """The scores of a recognizer as ``tools/test.py`` computes them.

    Args:
        recognizer: In evaluation mode.
        average: See :class:`ClipScorer`.
    """

    def __init__(self, recognizer: RecognizerGCN, average: str) -> None:
        self.recognizer = recognizer
        self.average = None if average == "none" else average

    def __call__(self, clips: Tensor) -> Tensor:
        """Score clips ``[B, clips, M, T, V, C]``."""
        model = self.recognizer
        head = model.cls_head
        data = {"inputs": list(clips), "data_samples": None}
        with torch.no_grad():
            inputs = model.data_preprocessor(data, False)["inputs"]
            scores, _ = model.extract_feat(inputs, stage="head")
            kept, head.average_clips = head.average_clips, self.average
            try:
                averaged: Tensor = head.average_clip(scores, num_segs=clips.shape[1])
            finally:
                head.average_clips = kept
        return averaged


def compare_scorers(
    reference: Scorer, other: Scorer, pairs: Iterable[tuple[Tensor, Tensor]]
) -> Parity:
    """Score clips by two models.

    Args:
        reference: What is right.
        other: What is to be like it.
        pairs: Clips ``[B, clips, M, T, V, C]`` for the one and for the other.

    Returns:
        The comparison of all of them.

    Raises:
        ValueError: If their scores are not of the same shape.
    """
    samples = same = 0
    difference = largest = 0.0
    for for_reference, for_other in pairs:
        expected, actual = reference(for_reference), other(for_other)
        if expected.shape != actual.shape:
            raise ValueError(
                f"the models give scores of different shapes, {list(expected.shape)} "
                f"and {list(actual.shape)}"
            )
        equal = expected.argmax(-1) == actual.argmax(-1)
        samples += equal.numel()
        same += int(equal.sum())
        gap = (expected - actual).abs().max().item()
        # A NaN must not pass as a small difference.
        difference = float("inf") if math.isnan(gap) else max(difference, gap)
        largest = max(largest, expected.abs().max().item())
    return Parity(samples, same, difference, largest)


def with_fewer_persons(
    clips: Tensor, limit: int | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Leave persons out, all but the first, all but the first two, and so on.

    Args:
        clips: ``[B, clips, M, T, V, C]``.
        limit: See :func:`.clip_scorer.person_limit`.

    Yields:
        What torch gets, zeros in their place where the backbone takes M persons only,
        and what the exported model gets.
    """
    for count in range(1, clips.shape[2]):
        few = clips[:, :, :count]
        full = few
        if limit is not None:
            full = clips.clone()
            full[:, :, count:] = 0
        yield full, few


def no_grad(scorer: ClipScorer) -> Scorer:
    """Let a module score without gradients."""

    def score(clips: Tensor) -> Tensor:
        with torch.no_grad():
            scores: Tensor = scorer(clips)
        return scores

    return score
