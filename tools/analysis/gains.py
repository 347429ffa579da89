#!/usr/bin/env python
"""Compute what GAP gains, from the runs in a CSV file of tools/reproduce.py --runs-csv.

Example:
    python tools/analysis/gains.py docs/results/runs.csv --out docs/results
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gap_mmaction.evaluation.finished_runs import read_runs
from gap_mmaction.evaluation.gains import accuracies, gains_text
from gap_mmaction.experiments.tables import DATA_SETS
from gap_mmaction.utils.command_line import tells_errors
from gap_mmaction.utils.files import save_png, write_file
from gap_mmaction.visualization.run_figures import draw_accuracies, draw_gains


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUNS.csv")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="for gains.md, accuracies.png and gains.png (default: that of RUNS.csv)",
    )
    parser.add_argument(
        "--backbone", nargs="+", help="only these, such as ctrgcn@32 (default: all)"
    )
    return parser.parse_args(argv)


def title(name: str) -> str:
    """Returns the title of a set, which may have a part of it after its name."""
    first, *rest = name.split()
    known = DATA_SETS.get(first)
    return " ".join([DATA_SETS[known.paper].title if known else first, *rest])


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 1 where a file cannot be read."""
    args = parse_args(argv)
    out = args.out or args.runs[0].parent
    runs = {run.key: run for path in args.runs for run in read_runs(path)}
    only = args.backbone
    kept = [run for run in runs.values() if only is None or run.backbone in only]
    if not kept:
        raise ValueError(f"{', '.join(map(str, args.runs))}: no run to compare")
    folds = {name: len(of.folds) for name, of in DATA_SETS.items()}
    found = accuracies(kept, folds)
    text = gains_text(found)
    write_file(out / "gains.md", text)
    save_png(draw_accuracies(found, title), out / "accuracies.png")
    save_png(draw_gains(found, title), out / "gains.png")
    print(text)
    print(f"written: {out}/gains.md, accuracies.png, gains.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
