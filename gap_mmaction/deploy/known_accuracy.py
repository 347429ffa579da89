"""The accuracy of a checkpoint, where a log or a file of scores gives it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gap_mmaction.evaluation.accuracy import accuracy
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.evaluation.training_log import read_training_log
from gap_mmaction.utils.checkpoint_reader import read_checkpoint

_CURVES = {"acc/top1": "top-1", "acc/top5": "top-5", "acc/mean1": "mean class"}


def accuracy_of_log(run: Path, checkpoint: Path) -> str:
    """Read what a run has logged when it validated a checkpoint's epoch.

    Args:
        run: The run's ``work_dir``.
        checkpoint: A checkpoint of that run.

    Returns:
        A line for the model card.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If the checkpoint does not say its epoch, or that was not validated.
    """
    log = read_training_log(run)
    key = "epoch" if log.by_epoch else "iter"
    meta = read_checkpoint(checkpoint).get("meta") or {}
    position = meta.get(key)
    if not isinstance(position, int):
        raise ValueError(
            f"{checkpoint}: its meta does not say the {key}; give --accuracy"
        )
    parts = []
    for curve, name in _CURVES.items():
        if curve in log.curves:
            positions, values = log.curves[curve]
            found = np.flatnonzero(positions == position)
            if len(found):
                parts.append(f"{name} {100 * values[found[-1]]:.1f} %")
    if not parts:
        raise ValueError(
            f"{run}: the log has no accuracy of {key} {position}, which is that of "
            f"{checkpoint}; give --accuracy, or --scores"
        )
    return f"{', '.join(parts)} (validation in the log of the run, {key} {position})"


def accuracy_of_scores(path: Path) -> str:
    """Compute the accuracy of a file of scores.

    Args:
        path: What ``tools/test.py --dump`` has written.

    Returns:
        A line for the model card.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no file of scores.
    """
    file = load_scores(path)
    names = _CURVES.values()
    values = accuracy(file.scores, file.labels)
    parts = [f"{name} {100 * value:.2f} %" for name, value in zip(names, values)]
    return f"{', '.join(parts)} ({len(file.labels):,} sequences, `{path.name}`)"
