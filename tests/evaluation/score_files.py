"""Score files for the tests, by mmengine's own writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import DumpResults


def dump(
    path: Path, scores: np.ndarray, labels: np.ndarray, ids: list[str] | None = None
) -> str:
    """Write scores ``[N, C]`` and labels ``[N]`` as a test on a CPU does.

    A row of the batch's scores is a view, which drags the batch into the file.
    """
    batch = torch.from_numpy(np.asarray(scores))
    samples = []
    for i, (score, label) in enumerate(zip(batch, labels)):
        sample = ActionDataSample().set_gt_label(int(label))
        sample.set_pred_score(score).set_pred_label(score.argmax(keepdim=True))
        if ids is not None:
            sample.set_metainfo({"frame_dir": ids[i]})
        samples.append(sample.to_dict())
    metric = DumpResults(str(path))
    metric.process({}, samples)
    metric.evaluate(len(samples))
    return str(path)


def noisy_scores(
    labels: np.ndarray, num_classes: int, rng: np.random.Generator, signal: float = 1.0
) -> np.ndarray:
    """Draw float32 scores ``[N, C]`` that lean towards the labels."""
    scores = rng.normal(size=(len(labels), num_classes))
    scores[np.arange(len(labels)), labels] += signal
    return scores.astype(np.float32)
