"""Timelines of actions as coloured bars."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from gap_mmaction.apis import Segment
from gap_mmaction.apis.timeline import NONE

from .panels import hide_frame, plain_text

BAR_WIDTH = 8.0  # inches, the least
_NONE_COLOUR, _OTHER_COLOUR = "0.88", "0.55"
_COLUMNS = 4


def colour_of(label: int) -> Any:
    """Returns a label's colour, always the same one."""
    if label < 0:
        return _NONE_COLOUR if label == NONE else _OTHER_COLOUR
    # Hues in the golden ratio: neighbours differ, however many there are.
    hue, pale, dark = label * 0.618034 % 1, (0.45, 0.7, 0.85), (0.9, 0.75)
    return colorsys.hsv_to_rgb(hue, pale[label % 3], dark[label % 2])


def draw_bars(bars: Mapping[str, Sequence[Segment]]) -> Figure:
    """Draws one timeline above the other, each with its title, and the labels' names.

    Labels below -1 are actions that are none of the names.
    """
    every = [segment for bar in bars.values() for segment in bar]
    height = 0.42 * len(bars) + bar_height(every)
    figure = Figure(figsize=(10, height), layout="constrained")
    _draw(figure.subplots(), bars, legend="outside lower center")
    return figure


def draw_timeline(figure: SubFigure, segments: Sequence[Segment]) -> Axes:
    """Draws a timeline into a part of a figure, :func:`bar_height` high."""
    height = figure.bbox.height / figure.figure.dpi  # inches
    bottom = bar_height(segments) - 0.4
    place = (0.03, bottom / height, 0.94, 1 - (bottom + 0.05) / height)
    axes = figure.add_axes(place)
    _draw(axes, {"": segments}, legend="lower center")
    return axes


def bar_height(segments: Sequence[Segment]) -> float:
    """Returns the inches that a timeline and the names of its labels take."""
    rows = -(-len({segment.label for segment in segments}) // _COLUMNS)
    return 1.0 + 0.2 * rows


def name_at(segments: Sequence[Segment], time: float) -> str:
    """Returns what is done at a time; nothing outside the timeline."""
    # The last frame is at the very end.
    names = [one.name for one in segments if one.start <= time <= one.end]
    return plain_text(names[-1] if names else "")


def _draw(axes: Axes, bars: Mapping[str, Sequence[Segment]], legend: str) -> None:
    handles: dict[int, Patch] = {}
    for row, bar in enumerate(bars.values()):
        for one in bar:
            colour, place = colour_of(one.label), (one.start, one.end - one.start)
            axes.broken_barh([place], (row - 0.4, 0.8), facecolors=colour)
            handles[one.label] = Patch(color=colour, label=plain_text(one.name))
    axes.set_yticks(range(len(bars)), [plain_text(title) for title in bars])
    axes.invert_yaxis()
    axes.set_xlabel("seconds", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0)
    hide_frame(axes, ("top", "right", "left"))
    named = [handles[label] for label in sorted(handles)]
    look: Any = dict(loc=legend, ncols=_COLUMNS, frameon=False, fontsize=8)
    axes.figure.legend(handles=named, **look)
