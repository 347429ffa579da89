#!/usr/bin/env python
"""Tell what a training step and a test cost per clip, with GAP and without.

Examples:
    python tools/get_flops.py configs/gap/ctrgcn_nwucla_cpu.py
    python tools/get_flops.py configs/gap/ctrgcn_ntu120.py --device cuda --out cost.json
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

import gap_mmaction  # noqa: F401
from gap_mmaction.deploy.clips import frames_of
from gap_mmaction.evaluation import cost
from gap_mmaction.utils.command_line import (
    add_cfg_options,
    count,
    read_config,
    tells_errors,
)

HEADER = (
    "| | parameters | trained | GFLOPs | giga multiply-adds | ms |\n"
    "|---|---:|---:|---:|---:|---:|"
)
CONVENTION = (
    "A multiply-add is two operations. Counted are matrix products and convolutions "
    "(torch.utils.flop_counter), on the plain path of the backbone; a training step is "
    "forward, losses and backward, without the optimizer"
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("config", help="a config with a text branch")
    add("--clips", type=count, default=16, help="batch size (default: %(default)s)")
    add("--frames", type=count, help="frames of a clip (default: the config's)")
    add("--pairs", type=count, default=5, help="how often to time (default: 5)")
    add("--threads", type=count, default=1, help="threads on a CPU (default: 1)")
    add("--device", default="cpu", help="cpu or cuda, cuda:1, ... (default: cpu)")
    add("--out", type=Path, metavar="COST.json", help="write the figures there")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.pairs < 2 or args.clips < 2:  # of one clip a batch has no statistics
        parser.error("--pairs and --clips: must be 2 or more")
    if torch.device(args.device).type == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device {args.device}: PyTorch finds no such device")
    return args


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and returns the exit status."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    cfg = read_config(args.config, args.cfg_options)
    frames = args.frames or frames_of(cfg)
    if frames is None:
        where = "test_dataloader.dataset.pipeline"
        raise ValueError(f"{args.config}: no clip_len in {where}; give --frames")
    print(f"{args.config}, per clip of {frames} frames, {args.clips} at a time\n")
    print(HEADER)
    rows = []
    for work, training in (("training step", True), ("test", False)):
        models, batch = cost.build_pair(cfg, args.clips, frames, device, training)
        runs = [functools.partial(cost.run_recognizer, m, batch) for m in models]
        times = cost.compare(runs[0], runs[1], args.pairs, device)
        for gap, model, run, ms in zip((True, False), models, runs, times.values()):
            flops, ms = cost.count_flops(run) / args.clips, ms / args.clips
            sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
            total, trained = sum(n for n, _ in sizes), sum(n for n, on in sizes if on)
            print(
                f"| {work}, {'with' if gap else 'without'} GAP | {total:,} "
                f"| {trained:,} | {flops / 1e9:.3f} | {flops / 2e9:.3f} | {ms:.2f} |"
            )
            row = dict(work=work, gap=gap, parameters=total, trainable=trained)
            rows.append(dict(**row, flops=flops, ms=ms))
    print(f"\n{CONVENTION}.")
    content = dict(config=args.config, clips=args.clips, frames=frames, rows=rows)
    cost.tell_environment(device, args.out, **content, convention=CONVENTION)
    return 0


if __name__ == "__main__":
    sys.exit(main())
