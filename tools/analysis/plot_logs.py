#!/usr/bin/env python
"""Draws curves: ``plot_logs.py work_dirs/gap work_dirs/plain --out curves.png``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gap_mmaction.evaluation.training_log import read_training_log
from gap_mmaction.utils.command_line import tells_errors
from gap_mmaction.utils.files import save_png
from gap_mmaction.visualization import run_figures


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    runs = "the work_dir of a run, or a scalars.json of mmengine"
    add("runs", nargs="+", metavar="RUN", help=runs)
    add("--out", type=Path, required=True, metavar="PNG")
    add(
        "--keys",
        nargs="+",
        metavar="KEY",
        help="what to draw, a panel each, such as loss_con or top1_acc (default: those "
        f"of {' '.join(run_figures.DEFAULT_KEYS)} that have been logged)",
    )
    add("--names", nargs="+", help="what the legend calls the runs")
    args = parser.parse_args(argv)
    if args.out.suffix != ".png":
        parser.error(f"--out {args.out}: must end in .png")
    if args.names is not None and len(args.names) != len(args.runs):
        parser.error(f"{len(args.names)} --names for {len(args.runs)} runs")
    return args


def default_names(runs: Sequence[str]) -> list[str]:
    """Names runs by their last folder, or by the path where that is not enough."""
    names = [Path(run).resolve().name for run in runs]
    unique = len(set(names)) == len(names)
    return names if unique else [str(Path(run)) for run in runs]


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool."""
    args = parse_args(argv)
    names = args.names or default_names(args.runs)
    logs = [read_training_log(run) for run in args.runs]
    if len({log.by_epoch for log in logs}) > 1:
        by_iteration = [log.path for log in logs if not log.by_epoch]
        raise ValueError(
            f"{', '.join(by_iteration)}: logged by iteration, the other runs by epoch; "
            "draw them in pictures of their own"
        )
    keys = run_figures.choose_keys(logs, args.keys)
    unit = "epoch" if logs[0].by_epoch else "iteration"
    for i, log in enumerate(logs):
        if log.is_unfinished:
            reached = f"{unit} {log.length} of {log.planned}"
            print(f"note: {log.path} is unfinished, {reached}", file=sys.stderr)
            names[i] = f"{names[i]} (unfinished, {reached})"
    print("| run | " + " | ".join(f"last {key}" for key in keys) + f" | {unit} |")
    print("|---|" + "--:|" * (len(keys) + 1))
    for log, name in zip(logs, names):
        cells = []
        for key in keys:
            last = log.curves[key][1][-1] if key in log.curves else None
            scale, digits = (100, 2) if run_figures.is_share(key) else (1, 4)
            cells.append("" if last is None else f"{scale * last:.{digits}f}")
        print(f"| {name} | {' | '.join(cells)} | {log.length} |")
    save_png(run_figures.draw_curves(logs, names, keys), args.out)
    print(f"\nwritten: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
