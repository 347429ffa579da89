"""The main job on the embedded data: train and test with and without GAP, compare.

Nothing is downloaded: the skeletons are made by the project, the text features ship
with it. Both trainings run side by side, half of the cores each.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from mmengine.config import Config

from gap_mmaction.apis import load_model
from gap_mmaction.datasets.synthetic import write_synthetic

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "gap" / "ctrgcn_synthetic.py"
RUNS: dict[str, list[str]] = {
    "without GAP": ["model.text_branch=None"],
    "with GAP": [],
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work-dir", type=Path, default=ROOT / "work_dirs" / "demo")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="instead of the config's")
    return parser.parse_args()


def start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start one of the project's tools with its output in a file."""
    threads = max(1, (os.cpu_count() or 1) // len(RUNS))
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment,
        )


def run_all(
    stage: str, commands: dict[str, list[str]], work_dir: Path
) -> dict[str, str]:
    """Run a command per run side by side, and tell of their progress.

    Returns:
        What each of them printed.

    Raises:
        SystemExit: If one of them fails; the message names its log.
    """
    logs = {
        name: work_dir / f"{stage} {name}.log".replace(" ", "_") for name in commands
    }
    started = time.monotonic()
    processes = {name: start(commands[name], logs[name]) for name in commands}
    told = ""
    while any(process.poll() is None for process in processes.values()):
        time.sleep(1)
        states = "   ".join(f"{name}: {progress(logs[name])}" for name in logs)
        if states != told:
            told = states
            print(
                f"  {stage} {time.monotonic() - started:4.0f} s   {states}", flush=True
            )
    output = {name: log.read_text(errors="replace") for name, log in logs.items()}
    for name, process in processes.items():
        if process.returncode:
            tail = "\n".join(output[name].splitlines()[-15:])
            raise SystemExit(f"{stage} {name} failed; the end of {logs[name]}:\n{tail}")
    return output


def progress(log: Path) -> str:
    """Give the last epoch that a log has finished."""
    found = re.findall(r"Saving checkpoint at (\d+) epochs", log.read_text("utf-8"))
    return f"epoch {found[-1]}" if found else "..."


@torch.no_grad()
def time_per_clip(models: dict[str, torch.nn.Module]) -> dict[str, float]:
    """Time the models in turn on one thread; give each one's median in ms per clip."""
    torch.set_num_threads(1)
    clips = 16
    inputs = torch.rand(clips, 1, 1, 32, 25, 3)
    times: dict[str, list[float]] = {name: [] for name in models}
    for repetition in range(23):
        for name, model in models.items():
            begin = time.perf_counter()
            model(inputs, stage="head")
            if repetition >= 3:  # the first ones warm up
                times[name].append((time.perf_counter() - begin) * 1000 / clips)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Train, test and print the table."""
    args = parse_args()
    work_dir = args.work_dir.resolve()
    work_dir.mkdir(parents=True, exist_ok=True)
    config = Config.fromfile(CONFIG)
    epochs = args.epochs or config.train_cfg.max_epochs
    data = work_dir / "synthetic.pkl"
    print(f"making the embedded skeleton set: {data}", flush=True)
    write_synthetic(data)
    options = [f"train_cfg.max_epochs={epochs}"]
    for loader in ("train", "val", "test"):
        options.append(f"{loader}_dataloader.dataset.ann_file={data}")

    folders = {name: work_dir / name.replace(" ", "_") for name in RUNS}
    checkpoints = {name: folders[name] / f"epoch_{epochs}.pth" for name in RUNS}
    print(f"training a small CTR-GCN, {epochs} epochs; logs in {work_dir}", flush=True)
    train = {
        name: [
            *("tools/train.py", str(CONFIG), "--work-dir", str(folders[name])),
            *("--seed", str(args.seed), "--cfg-options", *options, *extra),
        ]
        for name, extra in RUNS.items()
    }
    run_all("train", train, work_dir)
    test = {
        name: [
            *("tools/test.py", str(CONFIG), str(checkpoints[name])),
            *("--work-dir", str(folders[name]), "--cfg-options", *options),
        ]
        for name in RUNS
    }
    tested = run_all("test", test, work_dir)

    models = {name: load_model(config, checkpoints[name]) for name in RUNS}
    times = time_per_clip(models)
    print("\nTest performers of the embedded set, text branch gone:\n")
    print(f"{'':12}{'top-1 %':>9}{'parameters':>12}{'ms per clip':>13}")
    for name, model in models.items():
        accuracy = 100 * float(re.findall(r"acc/top1: ([0-9.]+)", tested[name])[-1])
        parameters = sum(parameter.numel() for parameter in model.parameters())
        print(f"{name:12}{accuracy:9.1f}{parameters:12,}{times[name]:13.2f}")


if __name__ == "__main__":
    main()
