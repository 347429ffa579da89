"""Timelines of actions as coloured bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .panels import hide_frame, plain_text

Span = tuple[float, float, int]
"""Start and end in seconds, and the label; below 0: no known action."""

_NOTHING = "0.88"
_UNKNOWN = "0.55"  # a true action that is none of the names


def colour_of(label: int) -> Any:
    """Returns a label's colour, always the same one."""
    if label < 0:
        return _NOTHING if label == -1 else _UNKNOWN
    return matplotlib.colormaps["tab20"](label * 7 % 20)


def draw_bar(axes: Axes, spans: Sequence[Span], row: float = 0.0) -> None:
    """Draws spans as a bar of height 0.8 around ``row``; x are seconds."""
    for start, end, label in spans:
        place, size = [(start, end - start)], (row - 0.4, 0.8)
        axes.broken_barh(place, size, facecolors=colour_of(label), edgecolor="white")


def draw_bars(bars: Mapping[str, Sequence[Span]], names: Sequence[str]) -> Figure:
    """Draws one bar above the other, each with its title, and the labels' names."""
    labels = sorted({label for bar in bars.values() for _, _, label in bar})
    rows = -(-len(labels) // 6)
    figure = Figure(figsize=(10, 0.8 + 0.42 * len(bars) + 0.25 * rows))
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    for row, bar in enumerate(bars.values()):
        draw_bar(axes, bar, row)
    axes.set_yticks(range(len(bars)), [plain_text(title) for title in bars])
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.margins(x=0)
    hide_frame(axes, ("top", "right", "left"))
    words = {-1: "none of these", -2: "an action not trained on"}
    handles = [
        Patch(color=colour_of(k), label=words.get(k) or plain_text(names[k]))
        for k in labels
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=8
    )
    return figure
