"""How trainings and tests are started: here, on several GPUs, or by Slurm."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gap_mmaction


@dataclass(frozen=True)
class Launcher:
    """Makes commands of the tools.

    Attributes:
        tools: The folder of the tools.
        processes: Processes of a training; a test takes one.
        partition: Slurm's partition; None runs on this machine.
        job_name: Name of the Slurm jobs.
    """

    tools: Path
    processes: int = 1
    partition: str | None = None
    job_name: str = "gap"

    def train(
        self,
        config: Path,
        work_dir: Path,
        seed: int,
        resume: Path | None,
        options: Sequence[str],
    ) -> list[str]:
        """Give the command of a training.

        Args:
            config: The config.
            work_dir: Its work dir.
            seed: Its seed.
            resume: The checkpoint to go on from.
            options: ``KEY=VALUE``.
        """
        arguments = ["--work-dir", str(work_dir), "--seed", str(seed)]
        if resume is not None:
            arguments += ["--resume", str(resume)]
        return [
            *self._start("train", [str(config)], self.processes),
            *arguments,
            *_cfg_options(options),
        ]

    def test(
        self,
        config: Path,
        checkpoint: Path,
        work_dir: Path,
        scores: Path,
        options: Sequence[str],
    ) -> list[str]:
        """Give the command of a test that writes its scores.

        Args:
            config: The config.
            checkpoint: What is tested.
            work_dir: Its work dir.
            scores: The file for the scores.
            options: ``KEY=VALUE``.
        """
        return [
            *self._start("test", [str(config), str(checkpoint)], 1),
            *("--work-dir", str(work_dir), "--dump", str(scores)),
            *_cfg_options(options),
        ]

    def environment(self, tool: str) -> dict[str, str]:
        """Give the environment for a ``train`` or a ``test`` command."""
        environment = dict(os.environ)
        package = str(Path(gap_mmaction.__file__).resolve().parents[1])
        path = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join(
            [package, path] if path else [package]
        )
        environment["PYTHON"] = sys.executable
        environment["PYTHONUNBUFFERED"] = "1"
        if self.partition is not None:
            environment["GPUS"] = str(self.processes if tool == "train" else 1)
        return environment

    def _start(self, tool: str, files: list[str], processes: int) -> list[str]:
        if self.partition is not None:
            script = str(self.tools / f"slurm_{tool}.sh")
            return ["bash", script, self.partition, self.job_name, *files]
        if processes > 1:
            script = str(self.tools / f"dist_{tool}.sh")
            return ["bash", script, *files, str(processes)]
        return [sys.executable, str(self.tools / f"{tool}.py"), *files]


def _cfg_options(options: Sequence[str]) -> list[str]:
    return ["--cfg-options", *options] if options else []
