"""Timelines of actions as coloured bars."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from gap_mmaction.apis import Segment

from .panels import hide_frame, plain_text

BAR_WIDTH = 8.0  # inches, the least
_NONE, _NONE_COLOUR, _OTHER_COLOUR = -1, "0.88", "0.55"
_COLUMNS = 4
_LINE = 0.2  # inches


def colour_of(label: int) -> Any:
    """Returns a label's colour, always the same one."""
    if label < 0:
        return _NONE_COLOUR if label == _NONE else _OTHER_COLOUR
    # Hues in the golden ratio: neighbours differ, however many there are.
    hue = label * 0.618034 % 1
    return colorsys.hsv_to_rgb(
        hue, (0.45, 0.7, 0.85)[label % 3], (0.9, 0.75)[label % 2]
    )


def draw_bars(bars: Mapping[str, Sequence[Segment]]) -> Figure:
    """Draws one timeline above the other, each with its title, and the labels' names.

    Labels below -1 are actions that are none of the names.
    """
    every = [segment for bar in bars.values() for segment in bar]
    height = 0.42 * len(bars) + bar_height(every)
    figure = Figure(figsize=(10, height), layout="constrained")
    _draw(figure, bars)
    return figure


def draw_timeline(figure: SubFigure, segments: Sequence[Segment]) -> Axes:
    """Draws a timeline into a part of a figure, :func:`bar_height` high."""
    return _draw(figure, {"": segments}, bottom=0.6 + _LINE * _rows(segments))


def bar_height(segments: Sequence[Segment]) -> float:
    """Returns the inches that a timeline and the names of its labels take."""
    return 1.0 + _LINE * _rows(segments)


def name_at(segments: Sequence[Segment], time: float) -> str:
    """Returns what is done at a time; nothing outside the timeline."""
    # The last frame is at the very end.
    names = [one.name for one in segments if one.start <= time <= one.end]
    return plain_text(names[-1] if names else "")


def _rows(segments: Sequence[Segment]) -> int:
    return -(-len({segment.label for segment in segments}) // _COLUMNS)


def _draw(
    figure: Figure | SubFigure,
    bars: Mapping[str, Sequence[Segment]],
    bottom: float | None = None,
) -> Axes:
    if bottom is None:
        axes = figure.subplots()
    else:
        height = figure.bbox.height / figure.figure.dpi  # inches
        axes = figure.add_axes(
            (0.03, bottom / height, 0.94, 1 - (bottom + 0.05) / height)
        )
    names: dict[int, str] = {}
    for row, bar in enumerate(bars.values()):
        for one in bar:
            names[one.label] = one.name
            place = [(one.start, one.end - one.start)]
            axes.broken_barh(place, (row - 0.4, 0.8), facecolors=colour_of(one.label))
    axes.set_yticks(range(len(bars)), [plain_text(title) for title in bars])
    axes.invert_yaxis()
    axes.set_xlabel("seconds", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0)
    hide_frame(axes, ("top", "right", "left"))
    handles = [
        Patch(color=colour_of(label), label=plain_text(names[label]))
        for label in sorted(names)
    ]
    figure.legend(
        handles=handles,
        loc="lower center" if bottom else "outside lower center",
        ncols=_COLUMNS,
        frameon=False,
        fontsize=8,
    )
    return axes
