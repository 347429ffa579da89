#!/usr/bin/env python
"""Parameters, operations and time of a config's model, with GAP and without.

Of a training step and of a test, per clip.

Examples:
    python tools/get_flops.py configs/gap/ctrgcn_nwucla_cpu.py
    python tools/get_flops.py configs/gap/ctrgcn_ntu120.py --device cuda --out cost.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

import gap_mmaction  # noqa: F401
from gap_mmaction.benchmark.cost import CONVENTION, Cost, measure_cost
from gap_mmaction.benchmark.report import environment, write_json
from gap_mmaction.deploy.clips import frames_of
from gap_mmaction.utils.command_line import count
from gap_mmaction.utils.config_options import add_cfg_options, read_config

HEADER = (
    "| | parameters | trained | GFLOPs | giga multiply-adds | ms |\n"
    "|---|---:|---:|---:|---:|---:|"
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="a config with a text branch")
    parser.add_argument(
        "--clips", type=count, default=16, help="batch size (default: %(default)s)"
    )
    parser.add_argument(
        "--frames", type=count, help="frames of a clip (default: the config's)"
    )
    parser.add_argument(
        "--pairs", type=count, default=5, help="how often to time (default: 5)"
    )
    parser.add_argument(
        "--threads", type=count, default=1, help="threads on a CPU (default: 1)"
    )
    parser.add_argument(
        "--device", default="cpu", help="cpu or cuda, cuda:1, ... (default: cpu)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="COST.json", help="write the figures there"
    )
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.pairs < 2:
        parser.error("--pairs: must be 2 or more")
    if args.clips < 2:
        parser.error("--clips: must be 2 or more, for the statistics of a batch")
    if torch.device(args.device).type == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device {args.device}: PyTorch finds no such device")
    return args


def format_row(row: Cost) -> str:
    """Write a row below :data:`HEADER`."""
    name = f"{row.work}, {'with' if row.gap else 'without'} GAP"
    return (
        f"| {name} | {row.parameters:,} | {row.trainable:,} | {row.flops / 1e9:.3f} "
        f"| {row.flops / 2e9:.3f} | {row.ms:.2f} |"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        The exit status: 0, or 1 where the config does not fit.
    """
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    try:
        cfg = read_config(args.config, args.cfg_options)
        frames = args.frames or frames_of(cfg)
        if frames is None:
            raise ValueError(
                f"{args.config}: no clip_len in test_dataloader.dataset.pipeline; give "
                "--frames"
            )
        rows = measure_cost(cfg, args.config, args.clips, frames, args.pairs, device)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    machine = environment(device)
    print(f"{args.config}, per clip of {frames} frames, {args.clips} at a time\n")
    print(HEADER)
    for row in rows:
        print(format_row(row))
    print(f"\n{CONVENTION}.")
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    if args.out is not None:
        content = dict(
            config=args.config,
            clips=args.clips,
            frames=frames,
            convention=CONVENTION,
            rows=[asdict(row) for row in rows],
            environment=machine,
        )
        write_json(args.out, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
