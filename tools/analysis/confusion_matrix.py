#!/usr/bin/env python
"""Draw the confusion matrix of a test run, and list the most frequent errors.

Example:
    python tools/analysis/confusion_matrix.py scores.pkl --labels nwucla --out cm.png
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.evaluation.confusion import confusion_matrix, most_confused
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.utils.figure_file import save_png

MAX_CLASSES_WITH_NUMBERS = 20
DARK = 0.4


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("result", help="scores, as tools/test.py --dump wrote them")
    parser.add_argument(
        "--labels",
        metavar="DESCRIPTIONS",
        help="description file with the names of the classes, or the name of one that "
        "ships: ntu60, ntu120, nwucla",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument("--title", help="what stands above the matrix")
    parser.add_argument(
        "--top", type=int, default=10, help="how many errors to list (default: 10)"
    )
    args = parser.parse_args(argv)
    if args.out.suffix != ".png":
        parser.error(f"--out {args.out}: must end in .png")
    if args.top < 0:
        parser.error(f"--top {args.top}: must be 0 or more")
    return args


def draw(path: Path, matrix: np.ndarray, names: list[str], title: str) -> None:
    """Draw a matrix whose rows are shares of the true class.

    Args:
        path: The picture.
        matrix: ``[C, C]``, counts, row true class, column predicted class.
        names: Names of the classes.
        title: What stands above.
    """
    count = len(matrix)
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
    axes.set_title(title, fontsize=10)
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
    save_png(figure, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        The exit status: 0, or 1 where the files do not fit.
    """
    args = parse_args(argv)
    try:
        result = load_scores(args.result)
        num_classes = result.scores.shape[1]
        names = load_class_names(args.labels, num_classes)
    except (ValueError, OSError, pickle.UnpicklingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    matrix = confusion_matrix(result.predictions, result.labels, num_classes)
    right, total = int(np.trace(matrix)), int(matrix.sum())
    summary = f"{right:,} of {total:,} samples right, {100 * right / total:.2f} %"
    print(f"{summary}\n\n| true class | predicted | samples | % of the class |")
    print("|---|---|--:|--:|")
    for row, column, samples in most_confused(matrix, args.top):
        share = 100 * samples / matrix[row].sum()
        print(f"| {names[row]} | {names[column]} | {samples:,} | {share:.1f} |")
    title = summary if args.title is None else f"{args.title}\n{summary}"
    draw(args.out, matrix, names, title)
    print(f"\nwritten: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
