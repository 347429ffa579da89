"""Logs of runs for the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
