"""Runs the training of a run, from its last checkpoint on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from .child_process import run_child
from .launcher import Launcher
from .run_config import RunConfig
from .run_folder import RunFolder, last_line
from .run_record import RunRecord


class RunFailedError(Exception):
    """A training or a test that has failed.

    Args:
        log: Its log.
        error: What went wrong.
    """

    def __init__(self, log: Path, error: str) -> None:
        super().__init__(error)
        self.log = log


class Trainer:
    """Runs the tools for a run, and notes in its record what they do.

    Args:
        launcher: Starts trainings and tests.
        say: Where to report to.
        interval: Seconds between two notes of the time that a run has taken.
    """

    def __init__(
        self,
        launcher: Launcher,
        say: Callable[[str], None] = print,
        interval: float = 30.0,
    ) -> None:
        self.launcher = launcher
        self.say = say
        self.interval = interval

    def train(
        self,
        config: RunConfig,
        folder: RunFolder,
        record: RunRecord,
        head: str,
        keep_open: Sequence[int] = (),
    ) -> Path:
        """Train, from the last checkpoint on.

        Args:
            config: The run's config, which is in its folder.
            folder: The run's folder.
            record: The run's record, which is kept up to date.
            head: What the report calls the run.
            keep_open: File descriptors for the process to inherit.

        Returns:
            The last epoch's checkpoint.

        Raises:
            RunFailedError: If the training fails.
            RunFolderError: If there are checkpoints and none can be read.
        """
        epochs = config.max_epochs
        newest = folder.checkpoint()
        if newest is not None and newest[1] == epochs:
            return newest[0]
        resume = None if newest is None else newest[0]
        where = f"from epoch {newest[1]} on" if newest is not None else "training"
        self.say(f"{head}: {where}, to epoch {epochs} (log: {folder.train_log})")
        command = self.launcher.train(
            *(folder.config, folder.train_dir, record.seed, resume), config.options
        )
        self.call("train", command, folder.train_log, folder, record, keep_open)
        newest = folder.checkpoint()
        if newest is None or newest[1] != epochs:
            raise RunFailedError(
                folder.train_log,
                f"training has ended without epoch_{epochs}.pth in {folder.train_dir}",
            )
        return newest[0]

    def call(
        self,
        tool: str,
        command: list[str],
        log: Path,
        folder: RunFolder,
        record: RunRecord,
        keep_open: Sequence[int] = (),
    ) -> None:
        """Run a tool, and note the time that it takes.

        Args:
            tool: ``train`` or ``test``.
            command: Its command.
            log: Where its output is added.
            folder: The run's folder.
            record: The run's record, which is kept up to date.
            keep_open: File descriptors for the process to inherit.

        Raises:
            RunFailedError: If it fails.
        """
        record.command = command
        record.write(folder.record_file)
        before, start = record.minutes, time.monotonic()

        def beat() -> None:
            record.minutes = before + (time.monotonic() - start) / 60
            record.write(folder.record_file)

        try:
            status = run_child(
                command,
                log,
                self.launcher.environment(tool),
                keep_open,
                beat,
                self.interval,
            )
        finally:
            beat()
        if status < 0:
            raise RunFailedError(log, f"ended by signal {-status}")
        if status:
            error = last_line(log) or "no output"
            raise RunFailedError(log, f"exit status {status}: {error}")
