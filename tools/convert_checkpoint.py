#!/usr/bin/env python
r"""Turn weights of other code into a checkpoint of this project.

gap      the repository of GAP's paper: joint and bone models, its text side left out
ctrgcn   the repository of CTR-GCN's authors
pyskl    PYSKL: CTR-GCN, and, with --config, the backbones that mmaction2 has as well

Nothing in the file is executed. What does not fit is refused, with a list.

Examples:
    python tools/convert_checkpoint.py --from ctrgcn runs-65-57200.pt ctrgcn_joint.pth
    python tools/convert_checkpoint.py --from gap runs-110-68970.pt gap_joint.pth \
        --config my_config.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

import gap_mmaction  # noqa: F401
from gap_mmaction.deploy.checkpoint_conversion import SOURCES, convert_checkpoint
from gap_mmaction.utils.command_line import add_cfg_options, read_config, tells_errors


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="source", choices=SOURCES, required=True)
    parser.add_argument("weights", type=Path, help="their file, .pt or .pth")
    parser.add_argument("out", type=Path, help="file to write, .pth or .safetensors")
    parser.add_argument(
        "--config",
        metavar="CONFIG.py",
        help="config of the model (default: CTR-GCN or its baseline, by the shapes)",
    )
    add_cfg_options(parser)
    parser.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        metavar="PREFIX",
        help="leave keys out that begin so",
    )
    args = parser.parse_args(argv)
    if args.cfg_options and args.config is None:
        parser.error("--cfg-options: give the --config that they are for")
    return args


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 1 where the weights do not fit."""
    args = parse_args(argv)
    cfg = read_config(args.config, args.cfg_options) if args.config else None
    model, kept, left_out = convert_checkpoint(
        args.source, args.weights, args.out, cfg, args.leave_out
    )
    for key in left_out:
        print(f"left out: {key}")
    print(
        f"{args.out}: {kept} tensors of {args.weights}, {len(left_out)} left out. "
        "The model they are of:\n"
    )
    print(Config(dict(model=model)).pretty_text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
