"""Training runs that are killed again and again, against one that never is."""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from gap_mmaction.engine import launch
from gap_mmaction.engine.checkpoint_files import find_resumable, read_meta

# Forked, so that the libraries are imported once. Not on Windows, which has no SIGKILL.
_CONTEXT: Any = multiprocessing.get_context("fork") if os.name == "posix" else None
_POLL = 0.001
_GUARD = 3600.0


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        step: Number of finished steps at which it was aimed.
        delay: Seconds after that step.
        aim: ``'step'``, anywhere in the run, or ``'save'``, at the end of an epoch,
            where checkpoints are written.
        killed_at: Number of finished steps when it came.
        epoch: What the newest good checkpoint has, 0 without one.
        leftovers: Unfinished files that lay about.
    """

    step: int
    delay: float
    aim: str
    killed_at: int
    epoch: int
    leftovers: int


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        kills: All kills, in order.
        steps: Steps of the whole run.
        tensors: Number of tensors that were compared: weights, averages, optimizer.
        different: The names of those that are not the same, bit for bit.
    """

    kills: list[Kill]
    steps: int
    tensors: int
    different: list[str]


def run_kill_test(
    config: Config, work_dir: Path, kills: int, seed: int, processes: int = 1
) -> Outcome:
    """Train once undisturbed and once with kills, and compare what comes out.

    The moments of the kills are drawn over the whole run, every third one at the end
    of an epoch. Each kill ends all processes of the run by SIGKILL; then it is resumed
    as ``--resume`` does, until the next one, and in the end left alone.

    Args:
        config: An epoch-based run with a fixed seed.
        work_dir: An empty folder.
        kills: How many.
        seed: Of the moments.
        processes: Processes of each run.

    Returns:
        The outcome.

    Raises:
        RuntimeError: If a run fails by itself, or there is no good checkpoint after a
            kill where there should be one.
    """
    runs = _Runs(config, processes)
    undisturbed, disturbed = work_dir / "undisturbed", work_dir / "killed"
    times = runs.undisturbed(undisturbed)
    per_epoch = len(times) // config.train_cfg.max_epochs
    done: list[Kill] = []
    for aim, step, delay in _moments(times, per_epoch, kills, seed):
        killed_at = runs.until_killed(disturbed, step, delay)
        # What last_checkpoint names must be whole: find_resumable would pass on to an
        # older one, with a warning.
        last = disturbed / "last_checkpoint"
        epoch = read_meta(Path(last.read_text()))["epoch"] if last.is_file() else 0
        found = find_resumable(disturbed) if disturbed.is_dir() else None
        if killed_at >= 2 * per_epoch and found is None:
            raise RuntimeError(f"no checkpoint after {killed_at} steps in {disturbed}")
        leftovers = len(list(disturbed.glob("*.part")))
        done.append(Kill(step, delay, aim, killed_at, epoch, leftovers))
    runs.to_the_end(disturbed)
    name = f"epoch_{config.train_cfg.max_epochs}.pth"
    tensors, different = compare_checkpoints(undisturbed / name, disturbed / name)
    return Outcome(done, len(times), tensors, different)


def compare_checkpoints(first: Path, second: Path) -> tuple[int, list[str]]:
    """Compare all tensors of two checkpoints bit for bit.

    Args:
        first: A checkpoint.
        second: Another one.

    Returns:
        The number of tensors, and the names of those that differ or that only one has.
    """
    contents = []
    for path in (first, second):
        content = torch.load(path, map_location="cpu", weights_only=True)
        keys = ("state_dict", "ema_state_dict", "optimizer", "pending_gradients")
        contents.append(dict(_tensors({k: content.get(k) for k in keys})))
    ours, theirs = contents
    names = sorted(set(ours) | set(theirs))
    different = [
        name
        for name in names
        if name not in ours
        or name not in theirs
        or ours[name].dtype != theirs[name].dtype
        or ours[name].numpy().tobytes() != theirs[name].numpy().tobytes()
    ]
    return len(names), different


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _tensors(item, f"{name}/{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _tensors(item, f"{name}/{index}")


def _moments(
    times: list[float], per_epoch: int, kills: int, seed: int
) -> list[tuple[str, int, float]]:
    """Draw the moments of the kills, in the order of the run."""
    rng = np.random.default_rng(seed)
    ends = np.arange(per_epoch, len(times), per_epoch)
    gaps = np.diff(np.asarray(times))
    between = float(np.median(gaps[ends - 1]))
    within = float(np.median(gaps))
    moments = []
    for number in range(kills):
        if number % 3 == 2 and len(ends):
            moment = ("save", int(rng.choice(ends)), float(rng.uniform(0, between)))
        else:
            step = int(rng.integers(0, len(times) - 1))
            moment = ("step", step, float(rng.uniform(0, within)))
        moments.append(moment)
    return sorted(moments, key=_step_of)


def _step_of(moment: tuple[str, int, float]) -> int:
    return moment[1]


class _ProgressHook(Hook):
    """Tells another process how far a run is."""

    priority = "LOWEST"

    def __init__(self, steps: Any, times: Any) -> None:
        self.steps, self.times = steps, times

    def before_train(self, runner: Any) -> None:
        self.steps.value = runner.iter
        if runner.max_iters > len(self.times):
            raise ValueError(f"more than {len(self.times)} steps: take fewer epochs")

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.times[runner.iter] = time.monotonic()
        self.steps.value = runner.iter + 1


class _WaitForKillHook(Hook):
    """Keeps a run that shall be killed from ending before that.

    Its other processes, or the whole run, may be faster than the undisturbed run was.
    """

    priority = "LOWEST"

    def __init__(self, ended: Any) -> None:
        self.ended = ended

    def after_train(self, runner: Any) -> None:
        self.ended.value = True
        time.sleep(_GUARD)


class _Runs:
    """Starts runs of a config in processes of their own."""

    def __init__(self, config: Config, processes: int) -> None:
        self.config, self.processes = config, processes
        self.steps = _CONTEXT.Value("q", -1)
        self.times = _CONTEXT.Array("d", 100_000, lock=False)
        self.ended = _CONTEXT.Value("b", False)

    def undisturbed(self, work_dir: Path) -> list[float]:
        """Run to the end and give the moment at which each step was done."""
        self.to_the_end(work_dir)
        return list(self.times[: self.steps.value])

    def to_the_end(self, work_dir: Path) -> None:
        """Run, or resume, to the end."""
        self._join(self._start(work_dir), work_dir)

    def until_killed(self, work_dir: Path, step: int, delay: float) -> int:
        """Run and kill; if all is done before the delay is over, kill then.

        Returns:
            The number of finished steps.

        Raises:
            RuntimeError: If the run fails by itself.
        """
        processes = self._start(work_dir, wait_for_kill=True)
        while self.steps.value < step and all(p.is_alive() for p in processes):
            time.sleep(_POLL)
        due = time.monotonic() + delay
        while (left := due - time.monotonic()) > 0 and not self.ended.value:
            time.sleep(min(left, _POLL))
        for process in processes:
            try:
                # With its data loaders' workers.
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                process.kill()
        for process in processes:
            process.join()
        if any(process.exitcode != -signal.SIGKILL for process in processes):
            self._join(processes, work_dir)
        return int(self.steps.value)

    def _start(self, work_dir: Path, wait_for_kill: bool = False) -> list[Any]:
        work_dir.mkdir(parents=True, exist_ok=True)
        self.steps.value, self.ended.value = -1, False
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        processes = []
        for rank in range(self.processes):
            hooks: list[Hook] = []
            if rank == 0:
                hooks.append(_ProgressHook(self.steps, self.times))
            if wait_for_kill:
                hooks.append(_WaitForKillHook(self.ended))
            arguments = (self.config, work_dir, rank, self.processes, port, hooks)
            process = _CONTEXT.Process(target=_train, args=arguments)
            process.start()
            processes.append(process)
        return processes

    def _join(self, processes: list[Any], work_dir: Path) -> None:
        for process in processes:
            process.join(_GUARD)
        codes = [process.exitcode for process in processes]
        if any(codes):
            log = (work_dir / "output_rank0.log").read_text("utf-8", "replace")
            raise RuntimeError(f"a run in {work_dir} ended with {codes}: {log[-3000:]}")


def _train(
    config: Config,
    work_dir: Path,
    rank: int,
    processes: int,
    port: int,
    hooks: list[Hook],
) -> None:
    """Train in a forked process, which does not return."""
    os.setpgid(0, 0)
    log = os.open(
        work_dir / f"output_rank{rank}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND
    )
    os.dup2(log, 1)
    os.dup2(log, 2)
    config = copy.deepcopy(config)
    config.work_dir, config.resume, config.load_from = str(work_dir), True, None
    config.launcher = "none"
    if processes > 1:
        config.launcher = "pytorch"
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
        os.environ.update(WORLD_SIZE=str(processes), MASTER_PORT=str(port))
        os.environ.update(MASTER_ADDR="127.0.0.1", GLOO_SOCKET_IFNAME="lo")
    with launch.process_group(config):
        runner = launch.build_runner(config)
        for hook in hooks:
            runner.register_hook(hook)
        runner.train()
