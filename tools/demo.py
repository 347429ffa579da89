"""The main job on the embedded data: train and test with and without GAP, compare.

Each seed draws a few clips of each class, the same for both; a line says whether the
gain may be chance. Nothing is downloaded. Two runs go side by side.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from gap_mmaction.apis import load_model
from gap_mmaction.datasets.synthetic import write_synthetic
from gap_mmaction.evaluation.gains import paired_gain
from gap_mmaction.experiments.launcher import Launcher
from gap_mmaction.utils.command_line import tells_errors

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "gap" / "ctrgcn_synthetic.py"
ARMS = {"without GAP": ["model.text_branch=None"], "with GAP": []}
SHOTS, EPOCHS, SEEDS = 10, 30, 3
DATA = "synthetic.pkl"


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--work-dir", type=Path, default=ROOT / "work_dirs" / "demo")
    add("--seed", type=int, default=0, help="the first one (%(default)s)")
    add("--seeds", type=int, default=SEEDS, help="how many (%(default)s)")
    add("--epochs", type=int, default=EPOCHS, help="(%(default)s)")
    return parser.parse_args()


def train_and_test(args: argparse.Namespace, arm: str, seed: int) -> float:
    """Runs the project's own tools; returns top-1 in percent."""
    checkpoint = last(arm, seed, args)
    folder = checkpoint.parent
    options = [
        f"train_cfg.max_epochs={args.epochs}",
        f"train_cfg.val_interval={args.epochs}",
        f"param_scheduler.0.end={args.epochs}",
        f"train_dataloader.dataset.samples_per_class={SHOTS}",
        f"train_dataloader.dataset.subset_seed={seed}",
    ]
    for loader in ("train", "val", "test"):
        data = f"{loader}_dataloader.dataset.ann_file={args.work_dir / DATA}"
        options.append(data)
    common = ["--work-dir", str(folder), "--cfg-options", *options]
    launcher = Launcher(ROOT / "tools")
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    log = folder / "train.log"
    launcher.call(log, "train", CONFIG, "--seed", str(seed), *common, *ARMS[arm])
    took = time.monotonic() - begin
    log = folder / "test.log"
    launcher.call(log, "test", CONFIG, checkpoint, *common)
    top1 = 100 * float(re.findall(r"acc/top1: ([0-9.]+)", log.read_text())[-1])
    print(f"  {arm:12} seed {seed}: {top1:.1f} %, trained in {took:.0f} s", flush=True)
    return top1


def last(arm: str, seed: int, args: argparse.Namespace) -> Path:
    """Returns the last checkpoint of a run."""
    folder = f"{arm} {seed}".replace(" ", "_")
    return Path(args.work_dir, folder, f"epoch_{args.epochs}.pth")


@torch.no_grad()
def time_per_clip(models: dict[str, torch.nn.Module]) -> dict[str, float]:
    """Times models in turn on one thread; returns each one's median in ms per clip."""
    torch.set_num_threads(1)
    inputs = torch.rand(16, 1, 1, 32, 25, 3)
    times: dict[str, list[float]] = {name: [] for name in models}
    for repetition in range(23):
        for name, model in models.items():
            begin = time.perf_counter()
            model(inputs, stage="head")
            if repetition >= 3:  # the first ones warm up
                times[name].append((time.perf_counter() - begin) * 1000 / len(inputs))
    return {name: statistics.median(values) for name, values in times.items()}


@tells_errors
def main() -> int:
    """Trains, tests and prints the table."""
    args = parse_args()
    # Two runs go side by side.
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // 2))
    args.work_dir = args.work_dir.resolve()
    write_synthetic(args.work_dir / DATA)
    seeds = range(args.seed, args.seed + args.seeds)
    what = f"{args.epochs} epochs of {SHOTS} clips of each class"
    print(f"training a small CTR-GCN, {what}; logs in {args.work_dir}", flush=True)
    jobs = [(arm, seed) for seed in seeds for arm in ARMS]
    with ThreadPoolExecutor(max_workers=2) as pool:
        top1 = dict(zip(jobs, pool.map(lambda job: train_and_test(args, *job), jobs)))

    models = {arm: load_model(str(CONFIG), last(arm, args.seed, args)) for arm in ARMS}
    times = time_per_clip(models)
    print("\nTest performers of the embedded set, text branch gone:\n")
    print(f"{'':12}{'top-1 %':>14}{'parameters':>12}{'ms per clip':>13}")
    by_seed = {arm: {seed: top1[arm, seed] for seed in seeds} for arm in ARMS}
    for arm, model in models.items():
        values = list(by_seed[arm].values())
        cell = f"{np.mean(values):.1f}"
        cell += f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
        parameters = sum(parameter.numel() for parameter in model.parameters())
        print(f"{arm:12}{cell:>14}{parameters:12,}{times[arm]:13.2f}")
    print(conclude(by_seed))
    return 0


def conclude(by_seed: dict[str, dict[int, float]]) -> str:
    """Says whether the difference is beyond chance."""
    gain = paired_gain(by_seed["with GAP"], by_seed["without GAP"])
    assert gain is not None
    each = " ".join(f"{value:+.1f}" for value in gain.values)
    text = f"\nGAP gains {gain.mean:+.1f} points ({each} by seed)"
    if gain.interval is None:
        return f"{text}; it takes more seeds to tell this from chance."
    low, high = gain.interval
    verdict = "beyond chance" if low > 0 or high < 0 else "which may be chance"
    return f"{text}, 95 % interval {low:+.1f} to {high:+.1f}: {verdict}."


if __name__ == "__main__":
    sys.exit(main())
