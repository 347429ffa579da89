#!/usr/bin/env python
"""Kill a training run again and again, and compare what it ends with.

The run is trained once undisturbed and once with random SIGKILLs, resumed after each.
In the end the weights and the optimizer's state must be the same, bit for bit. Only
where processes can be forked, as on Linux.

Examples:
    python tools/analysis/kill_test.py
    python tools/analysis/kill_test.py --processes 2 --workers 2 --kills 6
    python tools/analysis/kill_test.py --config configs/gap/ctrgcn_nwucla_cpu.py
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import gap_mmaction  # noqa: F401
from gap_mmaction.benchmark.kill_test import Outcome, run_kill_test
from gap_mmaction.datasets.synthetic import write_synthetic
from gap_mmaction.utils.command_line import count
from gap_mmaction.utils.config_options import add_cfg_options

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = ROOT / "configs" / "gap" / "ctrgcn_synthetic.py"
COLUMNS = (
    "| kill | aimed at | after step | of epoch | good checkpoint | unfinished files |\n"
    "|---:|---|---:|---:|---|---:|"
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--config",
        type=Path,
        help="the run (default: a tiny model on generated clips, with dropout and "
        "random rotations)",
    )
    parser.add_argument(
        "--kills", type=count, default=20, help="how many kills (default: 20)"
    )
    parser.add_argument(
        "--epochs", type=count, default=6, help="epochs of the run (default: 6)"
    )
    parser.add_argument(
        "--processes", type=count, default=1, help="processes (default: 1)"
    )
    parser.add_argument(
        "--workers", type=int, default=0, help="data loader's workers (default: 0)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of run and kills (default: 0)"
    )
    parser.add_argument(
        "--work-dir", type=Path, help="an empty folder (default: one that is removed)"
    )
    add_cfg_options(parser)
    return parser.parse_args(argv)


def load_config(args: argparse.Namespace, folder: Path) -> Config:
    config = Config.fromfile(args.config or EMBEDDED)
    if args.config is None:
        _make_tiny(config, folder)
    loader = config.train_dataloader
    loader.num_workers, loader.persistent_workers = args.workers, args.workers > 0
    config.train_cfg.max_epochs = args.epochs
    config.randomness = {"seed": args.seed}
    config.merge_from_dict(args.cfg_options or {})
    return config


def _make_tiny(config: Config, folder: Path) -> None:
    """Make the embedded config as small as can be, with everything random on."""
    data = folder / "clips.pkl"
    write_synthetic(data, num_performers=4, num_train_performers=3, repetitions=1)
    config.train_dataloader.dataset.pipeline.insert(
        -2, dict(type="RandomRotation3D", max_angle=0.3)
    )
    for name in ("train", "val", "test"):
        loader = config[f"{name}_dataloader"]
        loader.batch_size = 8
        loader.dataset.ann_file = str(data)
        for transform in loader.dataset.pipeline:
            if "clip_len" in transform:
                transform.clip_len = 8
    backbone = dict(base_channels=4, num_stages=2, inflate_stages=[2], down_stages=[2])
    config.model.backbone.update(backbone)
    config.model.cls_head.update(in_channels=8, dropout=0.5)


def report(outcome: Outcome, epochs: int) -> str:
    per_epoch = outcome.steps // epochs
    lines = [COLUMNS]
    for number, kill in enumerate(outcome.kills, 1):
        aim = "saving" if kill.aim == "save" else "any moment"
        good = f"epoch_{kill.epoch}.pth" if kill.epoch else "none yet"
        lines.append(
            f"| {number} | {aim} | {kill.killed_at} "
            f"| {min(kill.killed_at // per_epoch + 1, epochs)} | {good} "
            f"| {kill.leftovers} |"
        )
    same = outcome.tensors - len(outcome.different)
    lines += [
        "",
        f"{len(outcome.kills)} kills in a run of {epochs} epochs of {per_epoch} steps; "
        f"of {outcome.tensors} tensors (weights, buffers, optimizer) {same} are the "
        f"same, bit for bit, {len(outcome.different)} are not.",
        *outcome.different[:10],
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the test; the exit code is 1 if anything differs."""
    args = parse_args(argv)
    torch.set_num_threads(1)
    init_default_scope("mmaction")
    folder = args.work_dir or Path(tempfile.mkdtemp(prefix="kill_test_"))
    if args.work_dir is not None:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError(f"--work-dir {folder} is not empty; name a new one")
    start = time.monotonic()
    config = load_config(args, folder)
    try:
        outcome = run_kill_test(config, folder, args.kills, args.seed, args.processes)
    except RuntimeError as error:
        print(f"{error}\n(kept: {folder})", file=sys.stderr)
        return 2
    print(report(outcome, args.epochs))
    print(f"{time.monotonic() - start:.0f} s")
    if args.work_dir is None:
        shutil.rmtree(folder)
    return int(bool(outcome.different))


if __name__ == "__main__":
    sys.exit(main())
