#!/usr/bin/env python
"""Measure how much faster ours is than another implementation of the same.

Both run in turns, on one thread by default, and the ratio is the median of the pairs'.

Examples:
    python tools/benchmark.py backbone
    python tools/benchmark.py backbone --against ../mmaction2/projects/ctrgcn/models
    python tools/benchmark.py backbone --device cuda --amp --out speed.json
    python tools/benchmark.py pipeline
    python tools/benchmark.py text --model ViT-B-32
    python tools/benchmark.py step
    python tools/benchmark.py inference --config configs/gap/ctrgcn_nwucla_cpu.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

import gap_mmaction  # noqa: F401
from gap_mmaction.benchmark.backbone import (
    SHAPES,
    WORKS,
    load_class,
    measure_backbone,
)
from gap_mmaction.benchmark.pipeline import measure_pipeline
from gap_mmaction.benchmark.recognizer import measure_recognizer
from gap_mmaction.benchmark.report import COLUMNS, environment, format_row, write_json
from gap_mmaction.benchmark.text import DATASETS, measure_text
from gap_mmaction.utils.command_line import count

ROOT = Path(__file__).resolve().parents[1]
PLAIN = ROOT / "tests" / "models" / "plain_gcn.py"
CONFIG = ROOT / "configs" / "gap" / "ctrgcn_nwucla_cpu.py"


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--pairs", type=int, default=7, help="how often each is timed (default: 7)"
    )
    common.add_argument(
        "--threads", type=count, default=1, help="threads on a CPU (default: 1)"
    )
    common.add_argument(
        "--device", default="cpu", help="cpu or cuda, cuda:1, ... (default: cpu)"
    )
    common.add_argument("--amp", action="store_true", help="autocast to bfloat16")
    common.add_argument(
        "--small", action="store_true", help="tiny inputs, to try the command out"
    )
    common.add_argument(
        "--out", type=Path, metavar="SPEED.json", help="write the figures there"
    )
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    backbone = commands.add_parser(
        "backbone", parents=[common], help="CTR-GCN's forward pass and training step"
    )
    backbone.add_argument(
        "--against",
        default=str(PLAIN),
        metavar="PATH_OR_MODULE[:CLASS]",
        help="file, folder or module of the other one, whose class (default: CTRGCN) "
        "takes graph_cfg and num_person and has the same state dict; by default the "
        "plain statement of the tests",
    )
    backbone.add_argument(
        "--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES)
    )
    backbone.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS))
    backbone.add_argument(
        "--channels-last",
        action="store_true",
        help="the weights of both in this format",
    )
    commands.add_parser(
        "pipeline",
        parents=[common],
        help="the transforms of mmaction2's skeleton configs, on a CPU",
    )
    text = commands.add_parser(
        "text", parents=[common], help="a tuned text tower, forward and backward"
    )
    text.add_argument("--model", default="ViT-B-32", help="a model of open_clip")
    text.add_argument(
        "--datasets", nargs="+", choices=list(DATASETS), default=list(DATASETS)
    )
    for command, purpose in (
        ("step", "a training step with GAP and without"),
        ("inference", "testing a model trained with GAP, and one without"),
    ):
        whole = commands.add_parser(command, parents=[common], help=purpose)
        whole.add_argument(
            "--config", type=Path, default=CONFIG, help="a config with a text branch"
        )
        whole.add_argument("--clips", type=count, default=16, help="batch size")
        whole.add_argument("--frames", type=count, default=52, help="of a clip")
    args = parser.parse_args(argv)
    if args.command == "pipeline" and args.device != "cpu":
        parser.error("the pipeline runs on the CPU")
    if args.pairs < 2:
        parser.error(f"--pairs {args.pairs}: must be 2 or more")
    if torch.device(args.device).type == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device {args.device}: PyTorch finds no such device")
    return args


def measure(args: argparse.Namespace, device: torch.device) -> Iterator[dict[str, Any]]:
    """Measure what the command line asks for."""
    if args.command == "pipeline":
        return measure_pipeline(args.pairs, args.small)
    if args.command == "text":
        return measure_text(args.model, args.datasets, args.pairs, device, args.amp)
    if args.command in ("step", "inference"):
        clips, frames = (2, 8) if args.small else (args.clips, args.frames)
        return measure_recognizer(
            args.command, args.config, clips, frames, args.pairs, device, args.amp
        )
    return measure_backbone(
        load_class(args.against),
        args.shapes,
        args.works,
        args.pairs,
        device,
        args.amp,
        args.channels_last,
        args.small,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a comparison."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    measured = measure(args, device)
    machine = environment(device)
    print(COLUMNS)
    rows = []
    for row in measured:
        print(format_row(row), flush=True)
        rows.append(row)
    print("\n" + ", ".join(f"{key} {value}" for key, value in machine.items()))
    if args.out is not None:
        content = dict(command=sys.argv if argv is None else list(argv))
        write_json(args.out, dict(**content, environment=machine, rows=rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
