#!/usr/bin/env python
"""Compare two models class by class, with intervals and a chart as the paper's Fig. 6.

Example:
    python tools/analysis/compare_classes.py base.pkl gap.pkl --labels ntu120 --out DIR
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from gap_mmaction.evaluation.class_comparison import ClassComparison, compare_classes
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.utils.command_line import count, not_negative, tells_errors
from gap_mmaction.utils.files import save_png, write_file
from gap_mmaction.visualization.panels import hide_frame

BETTER, WORSE = "#7fb0dd", "#e6a57a"
CSV_COLUMNS = (
    *("index", "class", "samples", "base", "other", "difference"),
    *("low", "high", "only_base", "only_other", "p", "p_holm"),
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", help="scores of the model to compare with")
    parser.add_argument("other", help="scores of the other one, such as that with GAP")
    parser.add_argument(
        "--threshold",
        type=not_negative,
        default=4.0,
        metavar="POINTS",
        help="show classes that differ by more (default: %(default)g, as the paper)",
    )
    labels = "names of the classes: a description file, or the name of one that ships"
    parser.add_argument("--labels", metavar="DESCRIPTIONS", help=labels)
    parser.add_argument(
        "--names",
        nargs=2,
        default=["base", "other"],
        metavar=("BASE", "OTHER"),
        help="what table and chart call the models",
    )
    parser.add_argument("--resamples", type=count, default=10_000, help="of bootstrap")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--out", type=Path, help="folder for classes.csv, classes.png")
    return parser.parse_args(argv)


def format_row(item: ClassComparison, name: str) -> str:
    """Writes a line of the Markdown table."""
    low, high = item.interval
    p, p_holm = ("<0.0001" if p < 0.0001 else f"{p:.2g}" for p in (item.p, item.p_holm))
    cells = [
        *(name, f"{item.count:,}", f"{item.base:.1f}", f"{item.other:.1f}"),
        f"{item.difference:+.1f}",
        f"{low:+.1f} to {high:+.1f}",
        *(str(item.only_base), str(item.only_other)),
        *(p, "" if item.index is None else p_holm),
    ]
    return f"| {' | '.join(cells)} |"


def write_csv(path: Path, items: Sequence[ClassComparison], names: list[str]) -> None:
    """Writes every class, and all samples in the last line."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for item in items:
        numbers = (item.base, item.other, item.difference, *item.interval)
        cells = ["" if np.isnan(number) else f"{number:.4f}" for number in numbers]
        cells += [str(item.only_base), str(item.only_other), f"{item.p:.6g}"]
        if item.index is None:
            writer.writerow(["", "all", item.count, *cells, ""])
        else:
            name, p_holm = names[item.index], f"{item.p_holm:.6g}"
            writer.writerow([item.index, name, item.count, *cells, p_holm])
    write_file(path, text.getvalue())


def draw(
    path: Path, items: Sequence[ClassComparison], names: list[str], title: str
) -> None:
    """Draws a bar for each class, with its interval, the first on top."""
    figure = Figure(figsize=(7.5, 1.6 + 0.3 * len(items)), layout="constrained")
    axes = figure.add_subplot()
    differences = np.array([item.difference for item in items])
    ends = np.array([item.interval for item in items])
    # A percentile interval need not hold the value itself when samples are few.
    errors = np.maximum([differences - ends[:, 0], ends[:, 1] - differences], 0)
    positions = np.arange(len(items))
    axes.barh(
        positions,
        differences,
        xerr=errors,
        color=[BETTER if value > 0 else WORSE for value in differences],
        error_kw={"ecolor": "0.25", "elinewidth": 1, "capsize": 2},
    )
    axes.set_yticks(positions, [names[item.index or 0] for item in items])
    axes.set_ylim(len(items) - 0.4, -0.6)
    axes.axvline(0, color="0.2", linewidth=0.8)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    hide_frame(axes, ("top", "right", "left"))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("difference of accuracy in points, with 95 % interval")
    axes.set_title(title, fontsize=10)
    save_png(figure, path)


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 1 where the files do not fit."""
    args = parse_args(argv)
    base, other = load_scores(args.base), load_scores(args.other)
    overall, classes = compare_classes(base, other, args.resamples, args.seed)
    names = load_class_names(args.labels, len(classes))
    shown = sorted(
        (item for item in classes if abs(item.difference) > args.threshold),
        key=lambda item: (-item.difference, item.index),
    )
    first, second = args.names
    print(
        f"| class | samples | {first} | {second} | difference | 95 % interval | "
        f"only {first} right | only {second} right | p | p, Holm |"
    )
    print("|---|" + "--:|" * 9)
    for item in shown:
        print(format_row(item, names[item.index or 0]))
    print(format_row(overall, "all samples"))
    empty = sum(item.count == 0 for item in classes)
    print(
        f"\n{len(shown)} of {len(classes)} classes differ by more than "
        f"{args.threshold:g} points"
        + (f"; {empty} without samples" if empty else "")
        + ". Intervals: paired bootstrap. p: McNemar, exact; Holm: adjusted for "
        f"{len(classes)} classes."
    )
    if args.out is not None:
        write_csv(args.out / "classes.csv", [*classes, overall], names)
        print(f"written: {args.out / 'classes.csv'}")
        picture = args.out / "classes.png"
        if shown:
            title = (
                f"{second} minus {first}: classes more than {args.threshold:g} points "
                f"apart\nall samples: {overall.difference:+.1f} points"
            )
            draw(picture, shown, names, title)
            print(f"written: {picture}")
        else:
            print("no chart, as there is no class to show: set a lower --threshold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
