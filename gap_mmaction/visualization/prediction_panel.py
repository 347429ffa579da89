"""What a model says of a clip, as bars."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from gap_mmaction.apis.skeleton_result import SkeletonResult

from .part_colours import NO_PART
from .plain_text import plain_text

RIGHT, WRONG, UNKNOWN = "#2a7f3f", "#b5432e", "#4d4d4d"
_NAME_WIDTH = 18


def draw_scores(axes: Axes, result: SkeletonResult, label: int | None) -> None:
    """Draw a bar for each of the most likely classes, the likeliest on top.

    Args:
        axes: The panel.
        result: What the model says.
        label: The true class, whose bar is green while the first of others is red; None
            if it is not known.
    """
    rows = np.arange(len(result.top_labels))
    names = [plain_text(name, _NAME_WIDTH) for name in result.top_names]
    colours = ["#bdbdbd"] * len(rows)
    colours[0] = UNKNOWN if label is None else WRONG
    for row, other in enumerate(result.top_labels):
        if other == label:
            colours[row] = RIGHT
    axes.barh(rows, result.top_scores, height=0.62, color=colours)
    for row, score in enumerate(result.top_scores):
        axes.text(max(score, 0) + 0.02, row, f"{score:.2f}", va="center", fontsize=8)
    axes.set_yticks(rows, names, fontsize=9)
    # Scores are probabilities, unless the config says otherwise.
    axes.set_xlim(min(0, *result.top_scores), 1.18 * max(1, *result.top_scores))
    axes.set_xticks([0, 0.5, 1])
    _finish(axes, len(rows), "score")


def draw_similarity(
    axes: Axes, result: SkeletonResult, colours: Mapping[str, str]
) -> None:
    """Draw for the same classes how near each part is to the text of the class.

    Args:
        axes: The panel, beside that of the scores.
        result: With part similarity.
        colours: The colour of each slot of the text branch.

    Raises:
        ValueError: If the result has no part similarity.
    """
    if result.part_similarity is None:
        raise ValueError(f"{result.name}: the result has no part similarity")
    rows = np.arange(len(result.top_labels))
    height = 0.8 / len(result.parts)
    values = result.part_similarity[:, list(result.top_labels)]
    for slot, part in enumerate(result.parts):
        axes.barh(
            rows - 0.4 + (slot + 0.5) * height,
            values[slot],
            height=0.85 * height,
            color=colours.get(part, NO_PART),
            label=plain_text(part),
        )
    low, high = min(0.0, float(values.min())), max(0.2, float(values.max()))
    axes.set_xlim(1.05 * low, 1.05 * high)
    axes.axvline(0, color="0.3", linewidth=0.7)
    axes.set_yticks(rows, [""] * len(rows))
    _finish(axes, len(rows), "cosine with the text, by part")


def _finish(axes: Axes, count: int, title: str) -> None:
    axes.set_ylim(count - 0.5, -0.5)  # the first on top
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
