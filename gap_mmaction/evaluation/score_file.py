"""Scores of a test run, as ``tools/test.py --dump`` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np
import torch

from gap_mmaction.utils.atomic_pickle import write_annotations
from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.restricted_pickle import load_restricted
from gap_mmaction.utils.tensor_unpickler import TensorUnpickler

ID_KEYS = ("frame_dir", "sample_id", "filename", "video_id")


@dataclass(frozen=True)
class ScoreFile:
    """The scores of one model for N samples of C classes.

    Attributes:
        path: The file, for messages.
        scores: ``[N, C]``, float64, finite.
        labels: ``[N]``, int64, each in ``0 .. C-1``.
        sample_ids: The names of the samples, or None where the file has none.
    """

    path: str
    scores: np.ndarray
    labels: np.ndarray
    sample_ids: list[str] | None = None

    @property
    def predictions(self) -> np.ndarray:
        """The class of the highest score for each sample, ``[N]``."""
        return self.scores.argmax(axis=1)

    def name(self, sample: int) -> str:
        """Name a sample in a message."""
        if self.sample_ids is None:
            return f"sample {sample}"
        return f"sample {sample} ({brief(self.sample_ids[sample])})"


def load_scores(path: str | PathLike[str]) -> ScoreFile:
    """Read a dump of a test run.

    Args:
        path: A pickle of a list with one dict per sample: ``pred_score`` of shape
            ``[C]``, ``gt_label``, and perhaps the sample's name under one of
            :data:`ID_KEYS`. Tensors and arrays are both read; nothing in the file is
            executed.

    Returns:
        The scores in the file's order.

    Raises:
        FileNotFoundError: If there is no such file.
        pickle.UnpicklingError: If it is no pickle, a truncated one, or asks for
            anything but numbers, strings, containers, arrays and tensors.
        ValueError: If it holds something else than scores and labels, or a score is
            not finite; the message names the file and the sample.
    """
    name = fspath(path)
    try:
        with open(path, "rb") as stream:
            content = load_restricted(stream, name, TensorUnpickler)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{name}: there is no such file; write it with `tools/test.py CONFIG "
            f"CHECKPOINT --dump {name}`"
        ) from None
    if not isinstance(content, list) or not content:
        is_list = isinstance(content, list)
        what = "an empty list" if is_list else f"a {type(content).__name__}"
        raise ValueError(
            f"{name}: holds {what}, not the scores of samples; write them with "
            "`tools/test.py CONFIG CHECKPOINT --dump FILE.pkl`"
        )
    scores = [_score(item, f"{name}: sample {i}") for i, item in enumerate(content)]
    for i, score in enumerate(scores):
        if len(score) != len(scores[0]):
            raise ValueError(
                f"{name}: sample {i} has scores of {len(score)} classes, sample 0 of "
                f"{len(scores[0])}"
            )
    labels = [
        _label(item, len(scores[0]), f"{name}: sample {i}")
        for i, item in enumerate(content)
    ]
    file = ScoreFile(name, np.stack(scores), np.array(labels), _ids(content, name))
    bad = np.argwhere(~np.isfinite(file.scores))
    if len(bad):
        sample, label = bad[0]
        samples = len(np.unique(bad[:, 0]))
        raise ValueError(
            f"{name}: the score of {file.name(sample)} for class {label} is "
            f"{file.scores[sample, label]}, and {samples} of {len(scores)} samples "
            "have such scores; the checkpoint's weights or the data are not finite"
        )
    return file


def write_scores(
    path: str | PathLike[str],
    scores: np.ndarray,
    labels: np.ndarray,
    sample_ids: Sequence[str] | None = None,
) -> None:
    """Write scores the way ``tools/test.py --dump`` does, whole or not at all.

    mmaction2's own tools read the file too.

    Args:
        path: The file; one that is there is replaced.
        scores: ``[N, C]``.
        labels: ``[N]``.
        sample_ids: The names of the samples, if known.
    """
    content = []
    for i, (score, label) in enumerate(zip(scores, labels)):
        item: dict[str, Any] = {
            "num_classes": len(score),
            # A tensor of its own for each: a row would take the whole array along.
            "pred_score": torch.tensor(score),
            "pred_label": torch.tensor([int(score.argmax())]),
            "gt_label": torch.tensor([int(label)]),
        }
        if sample_ids is not None:
            item[ID_KEYS[0]] = sample_ids[i]
        content.append(item)
    write_annotations(content, path)


def _get(item: Any, key: str, where: str, remedy: str) -> Any:
    if not isinstance(item, dict):
        raise ValueError(f"{where} is a {type(item).__name__}, not a dict")
    if item.get(key) is None:
        raise ValueError(f"{where} has no '{key}' (only {brief(list(item))}); {remedy}")
    return item[key]


def _to_array(value: Any) -> np.ndarray | None:
    try:
        return np.asarray(value)
    except (ValueError, OverflowError, RecursionError):  # lists of unequal length
        return None


def _score(item: Any, where: str) -> np.ndarray:
    remedy = "dump the results of a classification test"
    value = _get(item, "pred_score", where, remedy)
    score = _to_array(value) if isinstance(value, (list, np.ndarray)) else None
    if score is None or score.dtype.kind not in "fiu" or score.ndim != 1:
        shape = "" if score is None else f" of shape {list(score.shape)}"
        raise ValueError(
            f"{where}: 'pred_score' is a {type(value).__name__}{shape}, not one "
            "number for each class; set model.cls_head.average_clips to 'prob' or "
            "'score' for the test"
        )
    return score.astype(np.float64)


def _label(item: Any, num_classes: int, where: str) -> int:
    remedy = "test on a split whose annotations have labels"
    found = _get(item, "gt_label", where, remedy)
    value = _to_array(found)
    if value is None or value.size != 1 or value.dtype.kind not in "iu":
        shown = found if value is None else value.tolist()
        raise ValueError(
            f"{where}: 'gt_label' is {brief(shown)}, not one class; samples of "
            "several classes are not compared or fused here"
        )
    label = int(value.reshape(()))
    if not 0 <= label < num_classes:
        raise ValueError(
            f"{where}: 'gt_label' is {label}, but there are scores of {num_classes} "
            f"classes, 0 to {num_classes - 1}"
        )
    return label


def _ids(content: list[dict[str, Any]], name: str) -> list[str] | None:
    for key in ID_KEYS:
        ids = [item.get(key) for item in content]
        if all(isinstance(sample, str) for sample in ids):
            seen: dict[Any, int] = {}
            for i, sample in enumerate(ids):
                if seen.setdefault(sample, i) != i:
                    raise ValueError(
                        f"{name}: {brief(sample)} is there twice, as samples "
                        f"{seen[sample]} and {i}"
                    )
            return [str(sample) for sample in ids]
    return None
