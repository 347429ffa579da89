"""A confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from .plain_text import plain_text

MAX_CLASSES_WITH_NUMBERS = 20
DARK = 0.4


def draw_confusion(matrix: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Draw a matrix whose rows are shares of the true class.

    Args:
        matrix: ``[C, C]``, counts, row true class, column predicted class.
        names: Names of the classes.
        title: What stands above.

    Returns:
        The picture.
    """
    count = len(matrix)
    names = [plain_text(name) for name in names]
    with_numbers = count <= MAX_CLASSES_WITH_NUMBERS
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
    if with_numbers:
        for row, column in np.argwhere(matrix):
            axes.text(
                column,
                row,
                str(matrix[row, column]),
                ha="center",
                va="center",
                fontsize=font,
                color="white" if shares[row, column] > DARK else "black",
            )
    bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.02)
    bar.set_label("share of the true class")
    return figure
