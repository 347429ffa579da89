"""Figures of runs: confusion, curves, accuracy over clips per class, and gains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from gap_mmaction.evaluation.gains import ARMS, Accuracies, gains_of
from gap_mmaction.evaluation.training_log import TrainingLog

from .panels import hide_frame, panel_grid, plain_text

DEFAULT_KEYS = ("loss", "loss_cls", "acc/top1")
_MAX_CLASSES_WITH_NUMBERS = 20
_DARK = 0.4
_ARM_COLOURS = dict(zip(ARMS, ("0.4", "C1", "C2", "C0")))
_ROWS_IN_AN_INCH = 4


def draw_confusion(matrix: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Draws counts ``[C, C]``, row true class, column predicted class, as shares."""
    count = len(matrix)
    names = [plain_text(name) for name in names]
    with_numbers = count <= _MAX_CLASSES_WITH_NUMBERS
    cell, font = (0.55, 8) if with_numbers else (0.13, 6)
    side = 3 + cell * count
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.add_subplot()
    # A class without samples has an empty row.
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # Not linear, or errors of a few percent would look like none.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    axes.set_xticks(range(count), names, rotation=90, fontsize=font)
    axes.set_yticks(range(count), names, fontsize=font)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(title.replace("$", r"\$"), fontsize=10)
    for y, x in np.argwhere(matrix) if with_numbers else ():
        text = axes.text(x, y, str(matrix[y, x]), ha="center", va="center")
        text.set(color="white" if shares[y, x] > _DARK else "black", fontsize=font)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.02)
    bar.set_label("share of the true class")
    return figure


def choose_keys(logs: Sequence[TrainingLog], keys: Sequence[str] | None) -> list[str]:
    """Returns what to draw: ``keys``, or those of the usual that have been logged."""
    known = {key for log in logs for key in log.curves}
    chosen = list(keys) if keys else [key for key in DEFAULT_KEYS if key in known]
    missing = [key for key in chosen if key not in known]
    if missing or not chosen:
        wanted = ", ".join(missing or DEFAULT_KEYS)
        raise ValueError(f"no run has logged {wanted}; there are {sorted(known)}")
    return chosen


def is_share(key: str) -> bool:
    """Says whether a quantity is an accuracy, which is shown in percent."""
    return key.startswith("acc/") or key.endswith("_acc")


def draw_curves(
    logs: Sequence[TrainingLog], names: Sequence[str], keys: Sequence[str]
) -> Figure:
    """Draws a panel for each quantity with a line for each run.

    The runs have been logged all by epoch or all by iteration.
    """
    figure, panels = panel_grid(len(keys), (5, 4.2), columns=len(keys))
    lines = {}
    for axes, key in zip(panels, keys):
        for i, (log, name) in enumerate(zip(logs, names)):
            if key not in log.curves:
                continue
            positions, values = log.curves[key]
            (lines[i],) = axes.plot(
                positions,
                values * (100 if is_share(key) else 1),
                color=f"C{i % 10}",
                linestyle=("-", "--", ":")[i // 10 % 3],
                linewidth=1.3,
                # A metric of testing has a prefix, and few points.
                marker="o" if "/" in key else None,
                markersize=3,
                label=plain_text(name),
            )
        unit = "epoch" if logs[0].by_epoch else "iteration"
        _finish(axes, plain_text(f"{key}, %" if is_share(key) else key), unit)
    _draw_legend(figure, [lines[i] for i in sorted(lines)])
    return figure


def draw_accuracies(found: Accuracies, title: Callable[[str], str] = str) -> Figure:
    """Draws a panel for each set and network, with a line and a band for each arm.

    Bands are a standard deviation over the seeds to either side. ``title`` turns the
    name of a set into a title.
    """
    names = list(dict.fromkeys(group[:2] for group in found))
    figure, panels = panel_grid(len(names), (4, 3), more=0.6)
    lines = {}
    for axes, name in zip(panels, names):
        groups = [group for group in found if group[:2] == name]
        for place, (arm, colour) in enumerate(_ARM_COLOURS.items()):
            seeds = [list(found[group].get(arm, {}).values()) for group in groups]
            seen = [i for i, values in enumerate(seeds) if values]
            mean = np.array([np.mean(seeds[i]) for i in seen])
            wide = np.array([np.std(seeds[i], ddof=len(seeds[i]) > 1) for i in seen])
            x = np.array(seen) + 0.05 * (place - 1.5)  # side by side, to be seen
            if seen:
                (lines[arm],) = axes.plot(x, mean, "o-", color=colour, ms=4, label=arm)
                axes.fill_between(x, mean - wide, mean + wide, color=colour, alpha=0.15)
                axes.errorbar(x, mean, wide, color=colour, lw=0.8, capsize=2, ls="")
        axes.set_xticks(range(len(groups)), [group[2] for group in groups])
        axes.set_xlim(-0.5, len(groups) - 0.5)
        axes.set_ylabel("top-1 %")
        _finish(axes, f"{title(name[0])}, {name[1]}", "training clips of each class")
    _draw_legend(figure, [lines[arm] for arm in ARMS if arm in lines])
    return figure


def draw_gains(found: Accuracies, title: Callable[[str], str] = str) -> Figure:
    """Draws the gains with their 95 % intervals, a panel for each comparison.

    The interval of two values is so wide that it may run out of the picture.
    """
    gains = gains_of(found)
    pairs = list(dict.fromkeys(pair for _, pair in gains)) or ["no gains"]
    groups = list(dict.fromkeys(group for group, _ in gains))
    size = (3 * len(pairs) + 2.5, 1 + len(groups) / _ROWS_IN_AN_INCH)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    places = {group: y for y, group in enumerate(groups)}
    for axes, pair in zip(panels, pairs):
        ends = [0.0]
        for (group, name), gain in gains.items():
            if name == pair:
                y = places[group]
                axes.plot(gain.interval or [gain.mean] * 2, [y, y], color="C0")
                axes.plot(gain.mean, y, "s", color="C0", ms=5)
                ends.append(gain.mean)
                if gain.interval and len(gain.values) > 2:
                    ends += gain.interval
        margin = 0.05 * np.ptp(ends) or 1.0
        axes.set_xlim(min(ends) - margin, max(ends) + margin)
        axes.axvline(0, color="0.5", linewidth=0.8)
        _finish(axes, pair, "points of top-1")
    labels = [", ".join([title(name), *rest]) for name, *rest in groups]
    panels[0].set_yticks(range(len(groups)), labels)
    panels[0].invert_yaxis()
    return figure


def _draw_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=max(1, min(4, len(handles))),
        frameon=False,
    )


def _finish(axes: Axes, title: str, x: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x)
    axes.grid(color="0.9")
    hide_frame(axes)
