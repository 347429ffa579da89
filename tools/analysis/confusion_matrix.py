#!/usr/bin/env python
"""Draw the confusion matrix of a test run, and list the most frequent errors.

Example:
    python tools/analysis/confusion_matrix.py scores.pkl --labels nwucla --out cm.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gap_mmaction.evaluation.accuracy import confusion_matrix, most_confused
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.utils.command_line import natural, tells_errors
from gap_mmaction.utils.files import save_png
from gap_mmaction.visualization.run_figures import draw_confusion


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("result", help="scores, as tools/test.py --dump wrote them")
    labels = "names of the classes: a description file, or the name of one that ships"
    parser.add_argument("--labels", metavar="DESCRIPTIONS", help=labels)
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument("--title", help="what stands above the matrix")
    parser.add_argument("--top", type=natural, default=10, help="errors to list (10)")
    args = parser.parse_args(argv)
    if args.out.suffix != ".png":
        parser.error(f"--out {args.out}: must end in .png")
    return args


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 1 where the files do not fit."""
    args = parse_args(argv)
    result = load_scores(args.result)
    num_classes = result.scores.shape[1]
    names = load_class_names(args.labels, num_classes)
    matrix = confusion_matrix(result.predictions, result.labels, num_classes)
    right, total = int(np.trace(matrix)), int(matrix.sum())
    summary = f"{right:,} of {total:,} samples right, {100 * right / total:.2f} %"
    print(f"{summary}\n\n| true class | predicted | samples | % of the class |")
    print("|---|---|--:|--:|")
    for row, column, samples in most_confused(matrix, args.top):
        share = 100 * samples / matrix[row].sum()
        print(f"| {names[row]} | {names[column]} | {samples:,} | {share:.1f} |")
    title = summary if args.title is None else f"{args.title}\n{summary}"
    save_png(draw_confusion(matrix, names, title), args.out)
    print(f"\nwritten: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
