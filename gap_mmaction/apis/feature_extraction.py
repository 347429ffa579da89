"""From annotations to the features of clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

import numpy as np
import torch
from torch import Tensor

from .clip_features import UNLABELLED
from .part_similarity import PartSimilarity
from .skeleton_inferencer import SkeletonInferencer


def extract_features(
    inferencer: SkeletonInferencer,
    similarity: PartSimilarity,
    annotations: Sequence[Mapping[str, Any]],
    where: str = "",
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """Run the model with its text branch's head over clips.

    Args:
        inferencer: The model, with its test pipeline.
        similarity: Its text branch, as ``inferencer.load_text_branch()`` gives it.
        annotations: As ``inferencer.read()`` gives them.
        where: The file that they come from, for messages.
        progress: Told the number of clips after each batch.

    Returns:
        ``[N, K, D]``, of norm 1, on the CPU.

    Raises:
        ValueError: If there is no clip, one does not fit the config, or its features
            are not finite.
    """
    if not annotations:
        raise ValueError(f"{where}: there is no clip")
    done: list[Tensor] = []
    for start in range(0, len(annotations), inferencer.batch_size):
        batch = annotations[start : start + inferencer.batch_size]
        samples = [inferencer.prepare(item, where=where) for item in batch]
        data = {key: [s[key] for s in samples] for key in ("inputs", "data_samples")}
        features = similarity.skeleton_features(data).cpu()
        for sample, feature in zip(samples, features):
            if not feature.isfinite().all():
                raise ValueError(
                    f"{where}: {sample['name']}: its features are not finite; so are "
                    f"the weights of {inferencer.checkpoint}, or its coordinates are "
                    "too large"
                )
        done.append(features)
        if progress is not None:
            progress(len(batch))
    return torch.cat(done)


def read_labels(
    annotations: Sequence[Mapping[str, Any]], num_classes: int, where: str = ""
) -> np.ndarray:
    """Read the classes of clips.

    Args:
        annotations: The clips; one may have no ``label``.
        num_classes: The number of classes.
        where: The file that they come from, for messages.

    Returns:
        int64 ``[N]``, :data:`.clip_features.UNLABELLED` for a clip without.

    Raises:
        ValueError: If one is no class.
    """
    labels = np.full(len(annotations), UNLABELLED)
    for index, item in enumerate(annotations):
        label = item.get("label")
        if label is None:
            continue
        clip = f"{where}: {item.get('frame_dir')}"
        labels[index] = check_label(label, num_classes, clip)
    return labels


def check_label(label: Any, num_classes: int, where: str) -> int:
    """Check that a label is a class.

    Args:
        label: What an annotation has.
        num_classes: The number of classes.
        where: The clip, for messages.

    Returns:
        The label.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(label, (int, np.integer)) or not 0 <= label < num_classes:
        raise ValueError(
            f"{where}: label={label!r} is no class, 0 to {num_classes - 1}"
        )
    return int(label)
