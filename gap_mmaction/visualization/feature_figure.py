"""Features of skeletons with those of texts among them."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .part_features import PartFeatures
from .plain_text import plain_text

Colour = tuple[float, float, float, float]

COLUMNS = 3
MAX_NAMED = 40
"""More classes have their numbers at the stars and no legend."""


def draw_features(
    features: PartFeatures, layouts: Sequence[np.ndarray], title: str
) -> Figure:
    """Draw a panel for each slot: samples as dots, texts of the classes as stars.

    Args:
        features: The features.
        layouts: For each slot places ``[N + C, 2]`` of samples and texts.
        title: What stands above.

    Returns:
        The picture.
    """
    count = len(features.class_names)
    colours = class_colours(count)
    columns = min(COLUMNS, len(features.parts))
    rows = -(-len(features.parts) // columns)
    figure = Figure(figsize=(3.6 * columns, 3.75 * rows + 1.0), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns)).reshape(-1)
    shares = features.nearest_text()
    for axes, part, places, share in zip(panels, features.parts, layouts, shares):
        _draw_panel(axes, places, features.labels, colours, count > MAX_NAMED)
        axes.set_title(
            f"{plain_text(part)}: nearest text right for {100 * share:.1f} %",
            fontsize=9,
        )
    spare = panels[len(features.parts) :]
    for axes in spare:
        axes.set_axis_off()
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=plain_text(name))
        for colour, name in zip(colours, features.class_names)
    ]
    star = Line2D([], [], marker="*", linestyle="", color="w", markersize=13)
    star.set(markeredgecolor="k", label="text of the class")
    handles = [star, *(handles if count <= MAX_NAMED else [])]
    options = {"frameon": False, "fontsize": 8}
    if len(spare) and len(handles) <= 16:
        spare[0].legend(handles=handles, loc="center left", **options)
    else:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=2 * columns, **options
        )
    figure.suptitle(title, fontsize=10)
    return figure


def class_colours(count: int) -> list[Colour]:
    """Give each class a colour, as far apart as their number allows."""
    name = "tab10" if count <= 10 else "tab20" if count <= 20 else "turbo"
    table = matplotlib.colormaps[name]
    if count <= 20:
        return [table(i) for i in range(count)]
    return [table(value) for value in np.linspace(0.02, 0.98, count)]


def _draw_panel(
    axes: Axes,
    places: np.ndarray,
    labels: np.ndarray,
    colours: Sequence[Colour],
    numbered: bool,
) -> None:
    dots, stars = places[: len(labels)], places[len(labels) :]
    axes.scatter(
        dots[:, 0],
        dots[:, 1],
        s=9,
        c=[colours[label] for label in labels],
        linewidths=0,
        alpha=0.75,
    )
    axes.scatter(
        stars[:, 0],
        stars[:, 1],
        s=150,
        c=colours,
        marker="*",
        edgecolors="black",
        linewidths=0.8,
    )
    if numbered:
        for index, place in enumerate(stars):
            axes.text(
                place[0], place[1], str(index), fontsize=5, ha="center", va="center"
            )
    # Only who is near whom means something.
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("0.8")
