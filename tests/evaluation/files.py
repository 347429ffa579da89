"""Files for the tests: scores, by mmengine's own writer, and logs of runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


CONFIG = "model = dict(\n    type='X')\ntrain_cfg = dict(by_epoch=True, max_epochs=4)\n"


def epochs(first: int, last: int, loss: float) -> list[dict[str, Any]]:
    """Lines of epochs of 8 iterations, logged every 5 and at the end, tested by 2."""
    records: list[dict[str, Any]] = []
    for epoch in range(first, last + 1):
        for step in (8 * epoch - 3, 8 * epoch):
            line = {"loss": loss, "top1_acc": 0.5, "time": 1.0}
            records.append({**line, "epoch": epoch, "iter": step, "step": step})
        if epoch % 2 == 0:
            records.append({"acc/top1": epoch / 10, "time": 9.0, "step": epoch})
    return records


def write_run(
    folder: Path, records: list[dict[str, Any]], start: str = "20260101_000000"
) -> Path:
    """Write one start of a run; returns its log."""
    log = folder / start / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    (log.parent / "config.py").write_text(CONFIG)
    return log
