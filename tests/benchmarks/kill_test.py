#!/usr/bin/env python
"""Kill a training run again and again, and compare what it ends with.

It is trained once undisturbed and once with random SIGKILLs, resumed after each: in the
end weights and optimizer must be the same, bit for bit. Needs fork, as on Linux.

    python tests/benchmarks/kill_test.py --processes 2 --workers 2 --kills 6
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope

from gap_mmaction.engine import launch
from gap_mmaction.engine.checkpoint_files import find_resumable, read_meta
from gap_mmaction.utils.command_line import add_cfg_options, count

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = (
    "| kill | aimed at | after step | of epoch | good checkpoint | unfinished files |\n"
    "|---:|---|---:|---:|---|---:|"
)
POLL, GUARD = 0.001, 3600.0


def load_config(args: argparse.Namespace, folder: Path) -> Config:
    sys.path.insert(0, str(ROOT))
    from tests.engine.tiny_run import tiny_config

    # To lay out the config's text takes half a second of each start.
    mmengine.config.config.FormatCode = lambda source, **_: (source, True)
    config = Config.fromfile(args.config) if args.config else tiny_config(folder)
    loader = config.train_dataloader
    loader.num_workers, loader.persistent_workers = args.workers, args.workers > 0
    config.train_cfg.max_epochs = args.epochs
    config.randomness = {"seed": args.seed}
    config.merge_from_dict(args.cfg_options or {})
    return config


def draw_moments(
    times: Sequence[float], per_epoch: int, args: argparse.Namespace
) -> list[tuple[int, float, str]]:
    """Draws steps, delays after them, and aims: each third is where a run saves."""
    rng, gaps, moments = np.random.default_rng(args.seed), np.diff(times), []
    ends = np.arange(per_epoch, len(times), per_epoch)
    for number in range(args.kills):
        saving = number % 3 == 2 and len(ends) > 0
        step = rng.choice(ends) if saving else rng.integers(0, len(times) - 1)
        delay = rng.uniform(0, np.median(gaps[ends - 1] if saving else gaps))
        moments.append((int(step), delay, "saving" if saving else "any moment"))
    return sorted(moments)


def compare_checkpoints(first: Path, second: Path) -> tuple[int, list[str]]:
    """Returns the number of tensors of two runs, and those that differ in any bit."""
    keys = ("state_dict", "ema_state_dict", "optimizer", "pending_gradients")
    contents = []
    for path in (first, second):
        content = torch.load(path, map_location="cpu", weights_only=True)
        tensors = tensors_of({key: content.get(key) for key in keys})
        contents.append({n: (t.dtype, t.numpy().tobytes()) for n, t in tensors})
    names = sorted({*contents[0], *contents[1]})
    return len(names), [n for n in names if contents[0].get(n) != contents[1].get(n)]


def tensors_of(value: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from tensors_of(item, f"{name}/{key}")


class ProgressHook(Hook):
    """Tells another process how far a run is; a run to be killed waits for that."""

    priority = "LOWEST"

    def __init__(self, runs: Runs, wait: bool) -> None:
        self.runs, self.wait = runs, wait

    def before_train(self, runner: Any) -> None:
        if is_main_process():
            self.runs.steps.value = runner.iter

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        if is_main_process():
            self.runs.times[runner.iter] = time.monotonic()
            self.runs.steps.value = runner.iter + 1

    def after_train(self, runner: Any) -> None:
        if self.wait:
            self.runs.ended.value = True
            time.sleep(GUARD)


class Runs:
    """Runs of a config in processes that are forked, to import the libraries once."""

    def __init__(self, config: Config, processes: int) -> None:
        self.config, self.processes = config, processes
        self.context: Any = multiprocessing.get_context("fork")
        self.steps = self.context.Value("q", -1)
        self.times = self.context.Array("d", 100_000, lock=False)
        self.ended = self.context.Value("b", False)

    def finish(self, work_dir: Path) -> None:
        self._join(self._start(work_dir, wait=False), work_dir)

    def kill(self, work_dir: Path, step: int, delay: float) -> int:
        """Runs, or resumes, and kills; returns the number of finished steps."""
        processes = self._start(work_dir, wait=True)
        while self.steps.value < step and all(p.is_alive() for p in processes):
            time.sleep(POLL)
        due = time.monotonic() + delay
        while time.monotonic() < due and not self.ended.value:
            time.sleep(POLL)
        for process in processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # with its loaders' workers
            except ProcessLookupError:
                process.kill()
            process.join()
        if any(process.exitcode != -signal.SIGKILL for process in processes):
            self._join(processes, work_dir)
        return int(self.steps.value)

    def _start(self, work_dir: Path, wait: bool) -> list[Any]:
        work_dir.mkdir(parents=True, exist_ok=True)
        self.steps.value, self.ended.value = -1, False
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        processes = [
            self.context.Process(target=self._train, args=(work_dir, rank, port, wait))
            for rank in range(self.processes)
        ]
        for process in processes:
            process.start()
        return processes

    def _join(self, processes: list[Any], work_dir: Path) -> None:
        for process in processes:
            process.join(GUARD)
        codes = [process.exitcode for process in processes]
        if any(codes):
            log = (work_dir / "output_rank0.log").read_text("utf-8", "replace")
            raise RuntimeError(f"a run in {work_dir} ended with {codes}: {log[-3000:]}")

    def _train(self, work_dir: Path, rank: int, port: int, wait: bool) -> None:
        os.setpgid(0, 0)
        with open(work_dir / f"output_rank{rank}.log", "ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        config = self.config
        config.work_dir, config.resume, config.load_from = str(work_dir), True, None
        config.launcher = "pytorch" if self.processes > 1 else "none"
        if self.processes > 1:
            ranks: dict[str, Any] = dict(RANK=rank, LOCAL_RANK=rank, MASTER_PORT=port)
            ranks |= dict(WORLD_SIZE=self.processes, MASTER_ADDR="127.0.0.1")
            ranks["GLOO_SOCKET_IFNAME"] = "lo"
            os.environ.update({key: str(value) for key, value in ranks.items()})
        with launch.process_group(config):
            runner = launch.build_runner(config)
            runner.register_hook(ProgressHook(self, wait))
            runner.train()


def run_kill_test(args: argparse.Namespace, folder: Path) -> list[str]:
    runs = Runs(load_config(args, folder), args.processes)
    undisturbed, disturbed = folder / "undisturbed", folder / "killed"
    runs.finish(undisturbed)
    times = list(runs.times[: runs.steps.value])
    per_epoch = len(times) // args.epochs
    print(COLUMNS)
    moments = draw_moments(times, per_epoch, args)
    for number, (step, delay, aim) in enumerate(moments, 1):
        done = runs.kill(disturbed, step, delay)
        # What last_checkpoint names must be whole: find_resumable would pass on to an
        # older one, with a warning.
        last = disturbed / "last_checkpoint"
        epoch = read_meta(Path(last.read_text()))["epoch"] if last.is_file() else 0
        if done >= 2 * per_epoch and find_resumable(disturbed) is None:
            raise RuntimeError(f"no checkpoint after {done} steps in {disturbed}")
        good = f"epoch_{epoch}.pth" if epoch else "none yet"
        of_epoch = min(done // per_epoch + 1, args.epochs)
        parts = len(list(disturbed.glob("*.part")))
        print(f"| {number} | {aim} | {done} | {of_epoch} | {good} | {parts} |")
    runs.finish(disturbed)
    name = f"epoch_{args.epochs}.pth"
    tensors, different = compare_checkpoints(undisturbed / name, disturbed / name)
    print(
        f"\n{args.kills} kills in a run of {args.epochs} epochs of {per_epoch} steps; "
        f"{tensors - len(different)} of {tensors} tensors (weights, buffers, optimizer)"
        f" are the same, bit for bit; different: {different[:10]}"
    )
    return different


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the test; the exit code is 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--config", type=Path, help="the run (default: a tiny model, all random)")
    add("--kills", type=count, default=20, help="how many kills (default: 20)")
    add("--epochs", type=count, default=6, help="epochs of the run (default: 6)")
    add("--processes", type=count, default=1, help="processes (default: 1)")
    add("--workers", type=int, default=0, help="data loader's workers (default: 0)")
    add("--seed", type=int, default=0, help="of run and kills (default: 0)")
    add("--work-dir", type=Path, help="an empty folder (default: one that is removed)")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    init_default_scope("mmaction")
    folder = args.work_dir or Path(tempfile.mkdtemp(prefix="kill_test_"))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"--work-dir {folder} is not empty; name a new one")
    start = time.monotonic()
    different = run_kill_test(args, folder)
    print(f"{time.monotonic() - start:.0f} s")
    if args.work_dir is None:
        shutil.rmtree(folder)
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
