"""Loss and accuracy curves of runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from gap_mmaction.evaluation.training_log import TrainingLog

from .plain_text import plain_text

DEFAULT_KEYS = ("loss", "loss_cls", "acc/top1")


def choose_keys(logs: Sequence[TrainingLog], keys: Sequence[str] | None) -> list[str]:
    """Find what there is to draw.

    Raises:
        ValueError: If no run has logged a quantity asked for, or none of the usual.
    """
    known = {key for log in logs for key in log.curves}
    chosen = list(keys) if keys else [key for key in DEFAULT_KEYS if key in known]
    missing = [key for key in chosen if key not in known]
    if missing or not chosen:
        wanted = ", ".join(missing or DEFAULT_KEYS)
        raise ValueError(f"no run has logged {wanted}; there are {sorted(known)}")
    return chosen


def is_share(key: str) -> bool:
    """Say whether a quantity is an accuracy, which is shown in percent."""
    return key.startswith("acc/") or key.endswith("_acc")


def draw_curves(
    logs: Sequence[TrainingLog],
    names: Sequence[str],
    keys: Sequence[str],
    columns: int | None = None,
) -> Figure:
    """Draw a panel for each quantity with a line for each run.

    Args:
        logs: The runs, all by epoch or all by iteration.
        names: What the legend calls them.
        keys: The quantities.
        columns: How many panels stand in a row; by default all.

    Returns:
        The picture.
    """
    columns = min(columns or len(keys), len(keys))
    rows = -(-len(keys) // columns)
    figure = Figure(figsize=(5 * columns, 3.4 * rows + 0.8), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns)).reshape(-1)
    for axes in panels[len(keys) :]:
        axes.set_axis_off()
    lines = {}
    for axes, key in zip(panels, keys):
        for i, (log, name) in enumerate(zip(logs, names)):
            if key not in log.curves:
                continue
            positions, values = log.curves[key]
            # A metric of testing has a prefix, and few points.
            marker = "o" if "/" in key else None
            (lines[i],) = axes.plot(
                positions,
                values * (100 if is_share(key) else 1),
                color=f"C{i % 10}",
                linestyle=("-", "--", ":")[i // 10 % 3],
                linewidth=1.3,
                marker=marker,
                markersize=3,
                label=plain_text(name),
            )
        title = f"{key}, %" if is_share(key) else key
        axes.set_title(plain_text(title), fontsize=10)
        axes.set_xlabel("epoch" if logs[0].by_epoch else "iteration")
        axes.grid(color="0.9")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.legend(
        handles=[lines[i] for i in sorted(lines)],
        loc="outside lower center",
        ncols=min(4, len(lines)),
        frameon=False,
        fontsize=9,
    )
    return figure
