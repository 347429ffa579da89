"""The clips that a model is most wrong about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gap_mmaction.apis.input_format import InputFormat
from gap_mmaction.evaluation.score_file import ScoreFile
from gap_mmaction.skeletons import Skeleton
from gap_mmaction.visualization.clip_picture import ClipPicture, spread_frames
from gap_mmaction.visualization.part_colours import PartColours
from gap_mmaction.visualization.skeleton_clip import SkeletonClip
from gap_mmaction.visualization.view import View

from .data_uri import gif_uri

MAX_FRAMES = 24
"""Of a movie; longer clips are shown with every so many frames."""

SECONDS = 2.0


@dataclass(frozen=True)
class WorstClip:
    """A clip that was taken for another class.

    Attributes:
        name: Its name.
        label: Its class.
        top: The most likely classes and their scores.
        own_score: The score of its own class.
        movie: A data URI, or empty where there is none.
    """

    name: str
    label: str
    top: tuple[tuple[str, float], ...]
    own_score: float
    movie: str = ""


def find_worst(scores: ScoreFile, count: int) -> list[int]:
    """Find the samples that a wrong class is furthest ahead for.

    Args:
        scores: Of a test run.
        count: How many to give at most.

    Returns:
        Their indices, the worst first; samples that are right are left out.
    """
    rows = np.arange(len(scores.labels))
    ahead = scores.scores.max(axis=1) - scores.scores[rows, scores.labels]
    order = np.argsort(-ahead, kind="stable")
    wrong = scores.predictions != scores.labels
    return [int(i) for i in order if wrong[i]][:count]


def describe_worst(
    scores: ScoreFile,
    names: Sequence[str],
    count: int,
    annotations: Mapping[str, Mapping[str, Any]],
    skeleton: Skeleton | None,
) -> list[WorstClip]:
    """Describe and draw the worst clips.

    Args:
        scores: Of a test run.
        names: Names of the classes.
        count: How many clips at most.
        annotations: By name; those of clips that are missing are not drawn.
        skeleton: Their joint layout; None draws nothing.

    Raises:
        ValueError: If an annotation is broken or of another layout.
    """
    clips = []
    for sample in find_worst(scores, count):
        row = scores.scores[sample]
        top = np.argsort(-row, kind="stable")[:3]
        name = f"sample {sample}"
        if scores.sample_ids is not None:
            name = scores.sample_ids[sample]
        label = int(scores.labels[sample])
        movie = ""
        if skeleton is not None and name in annotations:
            movie = _draw(annotations[name], name, skeleton)
        clips.append(
            WorstClip(
                name,
                names[label],
                tuple((names[i], float(row[i])) for i in top),
                float(row[label]),
                movie,
            )
        )
    return clips


def _draw(annotation: Mapping[str, Any], name: str, skeleton: Skeleton) -> str:
    form = InputFormat(
        skeleton,
        skeleton.num_coordinates,
        annotation.get("keypoint_score") is not None,
        needs_img_shape=False,
    )
    clip = SkeletonClip.from_annotation(form.complete(annotation, name), skeleton)
    picture = ClipPicture(clip, View.of(clip), PartColours.of(skeleton))
    frames = spread_frames(clip.num_frames, MAX_FRAMES)
    movie = picture.movie(frames, bare=True, height=2.6)
    return gif_uri(movie, max(len(frames) / SECONDS, 2.0))
