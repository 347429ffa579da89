"""Pictures of a comparison: accuracy over clips per class, and the gains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gap_mmaction.evaluation.gains import ARMS, Accuracies, gains_of

_COLOURS = dict(zip(ARMS, ("0.4", "C1", "C2", "C0")))
_ROWS_IN_AN_INCH = 4


def draw_accuracies(found: Accuracies, title: Callable[[str], str] = str) -> Figure:
    """Draw a panel for each set and network, with a line and a band for each arm.

    Args:
        found: The accuracies.
        title: Turns the name of a set into a title.

    Returns:
        The picture. Bands are a standard deviation over the seeds to either side.
    """
    names = list(dict.fromkeys(group[:2] for group in found))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    lines = {}
    for axes, name in zip(panels, names):
        groups = [group for group in found if group[:2] == name]
        for arm, colour in _COLOURS.items():
            seeds = [list(found[group].get(arm, {}).values()) for group in groups]
            x = [i for i, values in enumerate(seeds) if values]
            mean = np.array([np.mean(seeds[i]) for i in x])
            wide = np.array([np.std(seeds[i], ddof=len(seeds[i]) > 1) for i in x])
            if x:
                (lines[arm],) = axes.plot(x, mean, "o-", color=colour, ms=4, label=arm)
                axes.fill_between(x, mean - wide, mean + wide, color=colour, alpha=0.15)
        axes.set_xticks(range(len(groups)), [group[2] for group in groups])
        axes.set_ylabel("top-1 %")
        _finish(axes, f"{title(name[0])}, {name[1]}", "training clips of each class")
    handles = [lines[arm] for arm in ARMS if arm in lines]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_gains(found: Accuracies, title: Callable[[str], str] = str) -> Figure:
    """Draw the gains with their 95 % intervals, a panel for each comparison.

    Args:
        found: The accuracies.
        title: Turns the name of a set into a title.

    Returns:
        The picture.
    """
    gains = gains_of(found)
    pairs = list(dict.fromkeys(pair for _, pair in gains)) or ["no gains"]
    size = (3 * len(pairs) + 2.5, 1 + len(found) / _ROWS_IN_AN_INCH)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    places = {group: y for y, group in enumerate(found)}
    for axes, pair in zip(panels, pairs):
        for (group, name), gain in gains.items():
            if name == pair:
                y = places[group]
                axes.plot(gain.interval or [gain.mean] * 2, [y, y], color="C0")
                axes.plot(gain.mean, y, "s", color="C0", ms=5)
        axes.axvline(0, color="0.5", linewidth=0.8)
        _finish(axes, pair, "points of top-1")
    labels = [", ".join([title(name), *rest]) for name, *rest in found]
    panels[0].set_yticks(range(len(found)), labels)
    panels[0].invert_yaxis()
    return figure


def _finish(axes: Axes, title: str, x: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x)
    axes.grid(color="0.9")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
