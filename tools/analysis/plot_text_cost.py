#!/usr/bin/env python
"""Draw how the cost of a tuned text encoder grows with classes, parts and synonyms.

Example:
    python tools/analysis/plot_text_cost.py --out cost.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, ScalarFormatter

from gap_mmaction.benchmark.growth import Cost, Setting, measure_growth
from gap_mmaction.utils.atomic_file import save_png
from gap_mmaction.utils.command_line import count

SETTINGS = (
    Setting("synonym", 10),
    Setting("synonym+parts2", 10),
    Setting("synonym+parts4", 1),
    Setting("synonym+parts4", 10),
    Setting("synonym+parts6", 10),
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument("--model", default="ViT-B-32", help="a model of open_clip")
    parser.add_argument(
        "--classes", type=count, nargs="+", default=[10, 30, 100, 300, 1000]
    )
    parser.add_argument("--samples", type=count, default=16, help="batch size")
    parser.add_argument("--repeats", type=count, default=3, help="batches of each kind")
    parser.add_argument("--threads", type=count, default=1)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args(argv)
    if args.out.suffix != ".png":
        parser.error(f"--out {args.out}: must end in .png")
    args.classes = sorted(set(args.classes))
    return args


def draw(path: Path, costs: Sequence[Cost], samples: int) -> None:
    """Draw a line for each setting, and a dashed one for every text at full length."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    settings = list(dict.fromkeys(cost.setting for cost in costs))
    for i, setting in enumerate(settings):
        own = [cost for cost in costs if cost.setting == setting]
        axes.plot(
            [cost.classes for cost in own],
            [cost.ms / 1e3 for cost in own],
            "o-",
            color=f"C{i}",
            markersize=3.5,
            label=f"{setting} (K = {own[0].slots})",
        )
        for cost in own:
            if cost.every_ms is not None:
                axes.axhline(
                    cost.every_ms / 1e3, color=f"C{i}", linestyle="--", linewidth=0.9
                )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sorted({cost.classes for cost in costs}))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ScalarFormatter())
    axes.minorticks_off()
    axes.set_xlabel("classes")
    axes.set_ylabel("seconds, forward and backward")
    axes.set_title(
        f"Texts of {samples} samples; dashed: every text at full length", fontsize=10
    )
    axes.grid(color="0.9")
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=2)
    save_png(figure, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    print("| texts | K | classes | distinct | ms | every text ms |")
    print("|---|---:|---:|---:|---:|---:|")
    costs = []
    for cost in measure_growth(
        args.model,
        SETTINGS,
        args.classes,
        args.samples,
        args.repeats,
        torch.device(args.device),
    ):
        every = "" if cost.every_ms is None else f"{cost.every_ms:.0f}"
        print(
            f"| {cost.setting} | {cost.slots} | {cost.classes} | {cost.distinct:.0f} "
            f"| {cost.ms:.0f} | {every} |",
            flush=True,
        )
        costs.append(cost)
    draw(args.out, costs, args.samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
