"""What all pictures share: names that can be drawn, grids of panels, their look."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_LONG = 300


def plain_text(text: str, width: int | None = None) -> str:
    """Makes any text safe to be drawn, perhaps in lines of a width in characters.

    Matplotlib would read what stands between dollars as a formula, and fail on a wrong
    one. Control characters become spaces.
    """
    clean = "".join(c if c.isprintable() else " " for c in text[:_LONG])
    if width is not None:
        clean = "\n".join(textwrap.wrap(clean, width)) or clean
    return clean.replace("$", r"\$")


def panel_grid(
    count: int, size: tuple[float, float], columns: int = 3, more: float = 0.0
) -> tuple[Figure, np.ndarray]:
    """Makes a figure of panels, each of a size in inches; spare ones stay empty."""
    columns = min(columns, count)
    rows = -(-count // columns)
    inches = (size[0] * columns, size[1] * rows + more)
    figure = Figure(figsize=inches, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, panels


def hide_frame(axes: Axes, sides: Sequence[str] = ("top", "right")) -> None:
    """Hides some of the lines around a panel."""
    for side in sides:
        axes.spines[side].set_visible(False)
