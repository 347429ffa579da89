"""Scores of a test run, as ``tools/test.py --dump`` writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np
import torch

from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.restricted_pickle import load_restricted, write_annotations

ID_KEYS = ("frame_dir", "sample_id", "filename", "video_id")
_REMEDY = (
    "Write it by `tools/test.py CONFIG CHECKPOINT --dump FILE.pkl`; test again if the "
    "run was cut short"
)


@dataclass(frozen=True)
class ScoreFile:
    """The scores of one model for N samples of C classes."""

    path: str  # for messages
    scores: np.ndarray  # [N, C], float64, finite
    labels: np.ndarray  # [N], int64, each from 0 to C - 1
    sample_ids: list[str] | None = None  # None where the file has no names

    @property
    def predictions(self) -> np.ndarray:
        """The class of the highest score for each sample, ``[N]``."""
        return self.scores.argmax(axis=1)

    def name(self, sample: int) -> str:
        """Names a sample in a message."""
        if self.sample_ids is None:
            return f"sample {sample}"
        return f"sample {sample} ({brief(self.sample_ids[sample])})"


def load_scores(path: str | PathLike[str]) -> ScoreFile:
    """Reads a dump of a test run.

    Args:
        path: A pickle of a list with one dict per sample: ``pred_score`` of shape
            ``[C]``, ``gt_label``, both tensors or arrays, and perhaps the sample's name
            under one of :data:`ID_KEYS`.

    Raises:
        FileNotFoundError: If there is no such file.
        pickle.UnpicklingError: If it is refused or broken, see ``load_restricted``.
        ValueError: If it holds something else than finite scores and labels.
    """
    name = fspath(path)
    try:
        with open(path, "rb") as stream:
            content = load_restricted(stream, name, _REMEDY)
    except FileNotFoundError:
        raise FileNotFoundError(f"{name}: there is no such file. {_REMEDY}") from None
    if not isinstance(content, list) or not content:
        empty = isinstance(content, list)
        what = "an empty list" if empty else f"a {type(content).__name__}"
        raise ValueError(f"{name}: holds {what}, not the scores of samples. {_REMEDY}")
    scores: list[np.ndarray] = []
    labels: list[int] = []
    for i, item in enumerate(content):
        where = f"{name}: sample {i}"
        scores.append(_score(item, where))
        if len(scores[i]) != len(scores[0]):
            raise ValueError(
                f"{where} has scores of {len(scores[i])} classes, sample 0 of "
                f"{len(scores[0])}"
            )
        labels.append(_label(item, len(scores[0]), where))
    file = ScoreFile(name, np.stack(scores), np.array(labels), _ids(content, name))
    bad = np.argwhere(~np.isfinite(file.scores))
    if len(bad):
        sample, label = bad[0]
        raise ValueError(
            f"{name}: the score of {file.name(sample)} for class {label} is "
            f"{file.scores[sample, label]}, and {len(np.unique(bad[:, 0]))} of "
            f"{len(scores)} samples have such scores; the checkpoint's weights or the "
            "data are not finite"
        )
    return file


def write_scores(
    path: str | PathLike[str],
    scores: np.ndarray,
    labels: np.ndarray,
    sample_ids: Sequence[str] | None = None,
) -> None:
    """Writes scores ``[N, C]`` and labels ``[N]`` as ``tools/test.py --dump`` does."""
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


def _array(item: Any, key: str, kinds: str, where: str) -> np.ndarray | None:
    """Takes numbers out of a sample; None if they are something else."""
    if not isinstance(item, dict):
        raise ValueError(f"{where} is a {type(item).__name__}, not a dict")
    if item.get(key) is None:
        raise ValueError(
            f"{where} has no {key!r} (only {brief(list(item))}); dump the results of a "
            "classification test, on a split whose annotations have labels"
        )
    try:
        value = np.asarray(item[key])
    except (ValueError, OverflowError, RecursionError):  # lists of unequal length
        return None
    return value if value.dtype.kind in kinds else None


def _score(item: Any, where: str) -> np.ndarray:
    score = _array(item, "pred_score", "fiu", where)
    if score is None or score.ndim != 1:
        shape = "" if score is None else f" of shape {list(score.shape)}"
        raise ValueError(
            f"{where}: 'pred_score' is a {type(item['pred_score']).__name__}{shape}, "
            "not one number for each class; set model.cls_head.average_clips to 'prob' "
            "or 'score' for the test"
        )
    return score.astype(np.float64)


def _label(item: Any, num_classes: int, where: str) -> int:
    value = _array(item, "gt_label", "iu", where)
    label = int(value.item()) if value is not None and value.size == 1 else -1
    if not 0 <= label < num_classes:
        raise ValueError(
            f"{where}: 'gt_label' is {brief(item['gt_label'])}, not one class from 0 "
            f"to {num_classes - 1}"
        )
    return label


def _ids(content: list[dict[str, Any]], name: str) -> list[str] | None:
    for key in ID_KEYS:
        ids = [item.get(key) for item in content]
        if all(isinstance(sample, str) for sample in ids):
            sample, times = Counter(ids).most_common(1)[0]
            if times > 1:
                raise ValueError(f"{name}: {brief(sample)} is there {times} times")
            return [str(sample) for sample in ids]
    return None


def check_same_samples(files: Sequence[ScoreFile]) -> bool:
    """Checks that files are of the same samples in the same order; else a ValueError.

    Returns whether the samples' names were compared. If not, because a file has none,
    the labels alone say that the order is the same.
    """
    first = files[0]
    for other in files[1:]:
        pair = f"{other.path} and {first.path} do not belong together"
        left, right = other.scores.shape[1], first.scores.shape[1]
        if left != right:
            raise ValueError(f"{pair}: scores of {left} classes and of {right}")
        _check_ids(other, first, pair)
        if len(other.labels) != len(first.labels):
            raise ValueError(
                f"{pair}: {len(other.labels)} samples and {len(first.labels)}; test "
                "both on the same split"
            )
        differing = np.flatnonzero(other.labels != first.labels)
        if len(differing):
            i = int(differing[0])
            raise ValueError(
                f"{pair}: {other.name(i)} has label {other.labels[i]} in the one and "
                f"{first.labels[i]} in the other, and {len(differing)} samples differ; "
                "test both on the same split, unshuffled"
            )
    return all(file.sample_ids is not None for file in files)


def _check_ids(other: ScoreFile, first: ScoreFile, pair: str) -> None:
    left, right = other.sample_ids, first.sample_ids
    if left is None or right is None or left == right:
        return
    for names, others, path in ((left, right, other.path), (right, left, first.path)):
        known = set(others)
        alone = [name for name in names if name not in known]
        if alone:
            raise ValueError(
                f"{pair}: {len(alone)} of {len(names)} samples are only in {path}, "
                f"such as '{alone[0]}'; test both on the same split"
            )
    i = next(i for i, (a, b) in enumerate(zip(left, right)) if a != b)
    raise ValueError(
        f"{pair}: the same samples in another order, sample {i} is '{left[i]}' in the "
        f"one and '{right[i]}' in the other; test both unshuffled"
    )
