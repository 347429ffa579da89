#!/usr/bin/env python
r"""Make a file for others of a checkpoint, and a model card beside it.

Left out are the optimizer, the run's log and the text branch. The first eight digits
of the file's SHA-256 are put into its name, unless --no-hash is given.

Examples:
    python tools/publish_model.py work_dirs/gap/epoch_40.pth gap_nwucla.pth
    python tools/publish_model.py work_dirs/gap/epoch_40.pth gap_nwucla.safetensors \
        --config configs/gap/ctrgcn_nwucla_cpu.py --log work_dirs/gap --labels nwucla
    python tools/publish_model.py epoch_40.pth gap_with_text.pth --keep-text-branch
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import gap_mmaction  # noqa: F401  # allows the types in MMEngine's checkpoints
from gap_mmaction.apis.unknown import Unknown
from gap_mmaction.deploy.publish import (
    accuracy_of_log,
    accuracy_of_scores,
    publish_model,
)
from gap_mmaction.utils.command_line import tells_errors


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint of a training run")
    parser.add_argument("out", type=Path, help="file to write, .pth or .safetensors")
    parser.add_argument(
        "--keep-text-branch",
        action="store_true",
        help="keep the text branch too, for similarities of parts and texts",
    )
    parser.add_argument("--half", action="store_true", help="float16, half the size")
    parser.add_argument("--no-hash", action="store_true", help="keep the name as given")
    parser.add_argument("--name", help="what the card calls the model")
    parser.add_argument("--config", help="config file to name in the card and the file")
    parser.add_argument("--licence", help="licence of the weights, for the card")
    parser.add_argument(
        "--labels",
        metavar="NAME_OR_FILE",
        help="name the classes by a description file, or by the name of one that "
        "ships, as nwucla, in the card and in the file",
    )
    unknown = "thresholds of timelines to keep, of tools/analysis/timeline.py"
    parser.add_argument("--unknown", type=Path, metavar="FILE.json", help=unknown)
    accuracy = parser.add_mutually_exclusive_group()
    accuracy.add_argument(
        "--accuracy", metavar="TEXT", help="what is known of it, e.g. 'top-1 92.2 %%'"
    )
    accuracy.add_argument(
        "--log",
        type=Path,
        metavar="WORK_DIR",
        help="take the accuracy of the checkpoint's epoch from the log of its run",
    )
    accuracy.add_argument(
        "--scores",
        type=Path,
        metavar="FILE.pkl",
        help="take the accuracy from what tools/test.py --dump has written",
    )
    return parser.parse_args(argv)


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 1 where a file does not fit."""
    args = parse_args(argv)
    accuracy = args.accuracy
    if args.log is not None:
        accuracy = accuracy_of_log(args.log, args.checkpoint)
    elif args.scores is not None:
        accuracy = accuracy_of_scores(args.scores)
    file, card = publish_model(
        args.checkpoint,
        args.out,
        keep_text=args.keep_text_branch,
        name=args.name,
        config=args.config,
        accuracy=accuracy,
        licence=args.licence,
        labels=args.labels,
        half=args.half,
        unknown=None if args.unknown is None else Unknown.read_file(args.unknown),
        hashed=not args.no_hash,
    )
    print(
        f"{file}: {len(card.state_dict)} tensors kept, {card.dropped} left out, "
        f"{card.size / 2**20:.1f} MiB"
    )
    print(f"{file.with_suffix('.md')}: the model card")
    return 0


if __name__ == "__main__":
    sys.exit(main())
