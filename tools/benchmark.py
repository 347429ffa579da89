#!/usr/bin/env python
"""Measure how much faster ours is than another implementation of the same.

Both run in turns, on one thread by default, and the ratio is the median of the pairs'.

Examples:
    python tools/benchmark.py backbone --against ../mmaction2/projects/ctrgcn/models
    python tools/benchmark.py backbone --device cuda --amp --out speed.json
    python tools/benchmark.py pipeline
    python tools/benchmark.py text --model ViT-B-32
    python tools/benchmark.py step
    python tools/benchmark.py inference --config configs/gap/ctrgcn_nwucla_cpu.py
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

import gap_mmaction  # noqa: F401
from gap_mmaction.evaluation import cost
from gap_mmaction.utils.command_line import count, tells_errors

ROOT = Path(__file__).resolve().parents[1]
PLAIN = ROOT / "tests" / "models" / "plain_gcn.py"
CONFIG = ROOT / "configs" / "gap" / "ctrgcn_nwucla_cpu.py"
COLUMNS = (
    "| work | ours ms | other ms | ratio | quartiles | ours MB | other MB | memory |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|"
)
ROW = (
    "| {work} | {ours_ms:.1f} | {other_ms:.1f} | {ratio:.2f} "
    "| {ratio_low:.2f} - {ratio_high:.2f} | {memory} |"
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--pairs", type=int, default=7, help="how often each is timed (default: 7)")
    add("--threads", type=count, default=1, help="threads on a CPU (default: 1)")
    add("--device", default="cpu", help="cpu or cuda, cuda:1, ... (default: cpu)")
    add("--amp", action="store_true", help="autocast to bfloat16")
    add("--small", action="store_true", help="tiny inputs, to try the command out")
    add("--out", type=Path, metavar="SPEED.json", help="write the figures there")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add_command = functools.partial(commands.add_parser, parents=[common])
    add = add_command("backbone", help="CTR-GCN, test and training step").add_argument
    add(
        "--against",
        default=str(PLAIN),
        metavar="PATH_OR_MODULE[:CLASS]",
        help="file, folder or module of the other one, whose class (default: CTRGCN) "
        "takes graph_cfg and num_person and has the same state dict; by default the "
        "plain statement of the tests",
    )
    shapes, works, datasets = ("ntu", "nwucla"), ("eval", "step"), ("nwucla", "ntu120")
    add("--shapes", nargs="+", choices=shapes, default=shapes)
    add("--works", nargs="+", choices=works, default=works)
    add("--channels-last", action="store_true", help="all weights in this format")
    add_command("pipeline", help="the transforms of mmaction2's skeleton configs")
    add = add_command("text", help="a tuned text tower, both passes").add_argument
    add("--model", default="ViT-B-32", help="a model of open_clip")
    add("--datasets", nargs="+", choices=datasets, default=datasets)
    for command, purpose in (
        ("step", "a training step with GAP and without"),
        ("inference", "testing a model trained with GAP, and one without"),
    ):
        add = add_command(command, help=purpose).add_argument
        add("--config", type=Path, default=CONFIG, help="a config with a text branch")
        add("--clips", type=count, default=16, help="batch size")
        add("--frames", type=count, default=52, help="of a clip")
    args = parser.parse_args(argv)
    if args.command == "pipeline" and args.device != "cpu":
        parser.error("the pipeline runs on the CPU")
    if args.pairs < 2:
        parser.error(f"--pairs {args.pairs}: must be 2 or more")
    if torch.device(args.device).type == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device {args.device}: PyTorch finds no such device")
    return args


def recognizer_cases(args: argparse.Namespace, device: torch.device) -> Iterator[Any]:
    """Yields a training step, or a test, with GAP and without."""
    clips, frames = (2, 8) if args.small else (args.clips, args.frames)
    config, training = Config.fromfile(args.config), args.command == "step"
    models, batch = cost.build_pair(config, clips, frames, device, training)
    runs = (functools.partial(cost.run_recognizer, m, batch, args.amp) for m in models)
    counts = [sum(p.numel() for p in model.parameters()) for model in models]
    what = "step with GAP" if training else "test time, trained with GAP"
    name = f"{args.config.stem}, {what} / without"
    yield (name, *runs, lambda: dict(parameters=counts))


def find_cases(args: argparse.Namespace, device: torch.device) -> Iterator[Any]:
    """Finds what the command line asks for; most of it is beside the tests."""
    if args.command in ("step", "inference"):
        return recognizer_cases(args, device)
    if not PLAIN.is_file():
        raise FileNotFoundError(f"{args.command}: needs the source tree, with {PLAIN}")
    sys.path.insert(0, str(ROOT))
    from tests.benchmarks import speed_cases

    return getattr(speed_cases, f"{args.command}_cases")(args, device)


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs a comparison."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    rows: list[dict[str, Any]] = []
    print(COLUMNS)
    for work, ours, other, tell_more in find_cases(args, device):
        times = cost.compare(ours, other, args.pairs, device)
        own_mb, other_mb = (cost.peak_memory(run, device) for run in (ours, other))
        memory_ratio = own_mb / other_mb if own_mb and other_mb else None
        more = tell_more()
        for key in ("ours_ms", "other_ms"):
            times[key] /= more.get("count", 1)
        memory = dict(ours_mb=own_mb, other_mb=other_mb, memory_ratio=memory_ratio)
        rows.append(dict(work=work, **more, **times, **memory))
        cells = "- | - | -"
        if own_mb is not None and other_mb is not None:
            cells = f"{own_mb:.0f} | {other_mb:.0f} | {memory_ratio or 0:.2f}"
        print(ROW.format(work=work, memory=cells, **times), flush=True)
    command = list(argv or sys.argv)
    cost.tell_environment(device, args.out, command=command, rows=rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
