"""All runs of a table: what is missing is run, in order."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from gap_mmaction.evaluation.accuracy import accuracy
from gap_mmaction.evaluation.finished_runs import (
    ALL,
    FinishedRun,
    add_runs,
    read_runs,
)
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.evaluation.training_log import read_training_log
from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.loader_data import annotated_data
from gap_mmaction.utils.versions import collect_versions

from .launcher import Launcher
from .plan import PlannedRun
from .results import Results
from .run_config import RunConfig
from .run_configs import RunConfigs
from .run_folder import RunFolder
from .run_record import RunRecord
from .run_spec import RunSpec
from .running import running
from .table import Table
from .table_text import to_csv, to_markdown
from .trainer import RunFailedError, Trainer


@dataclass(frozen=True)
class Failure:
    """A run that has failed.

    Attributes:
        spec: The run.
        log: Its log.
        error: The error.
    """

    spec: RunSpec
    log: Path
    error: str


class Experiment:
    """The runs of a table in a work dir.

    Args:
        table: The table.
        seeds: The seeds.
        work_dir: The work dir, an absolute path.
        configs: Makes the configs.
        launcher: Starts trainings and tests.
        how: How the runs are made, for a line below the table.
        say: Where to report to.
        interval: Seconds between two notes of the time that a run has taken.
        runs_csv: A file with a line for each run that has ended, here or elsewhere,
            see :class:`FinishedRun`; None for none. What has a line is not run.
    """

    def __init__(
        self,
        table: Table,
        seeds: Sequence[int],
        work_dir: Path,
        configs: RunConfigs,
        launcher: Launcher,
        how: str = "",
        say: Callable[[str], None] = print,
        interval: float = 30.0,
        runs_csv: Path | None = None,
    ) -> None:
        self.table = table
        self.seeds = tuple(seeds)
        self.work_dir = work_dir
        self.configs = configs
        self.launcher = launcher
        self.how = how
        self.say = say
        self.trainer = Trainer(launcher, say, interval)
        self.results = Results(work_dir)
        self.runs_csv = runs_csv
        self.specs = table.runs(seeds)

    @property
    def table_files(self) -> tuple[Path, Path]:
        """Where the table is written, as Markdown and as CSV."""
        name = "_".join(["table", self.table.name, *self.table.benchmarks])
        return self.work_dir / f"{name}.md", self.work_dir / f"{name}.csv"

    def plan(self) -> list[PlannedRun]:
        """Look at what is there.

        Returns:
            Every run and what is left of it.

        Raises:
            FileNotFoundError: If a config or the annotation file is not there.
            RunFolderError: If the folder of a run is another one's.
            ValueError: If the settings do not fit, or a line of ``runs_csv`` is wrong.
        """
        runs = [] if self.runs_csv is None else read_runs(self.runs_csv)
        known = {run.key: run.top1 for run in runs}
        planned = []
        for spec in self.specs:
            config = self.configs.make(spec)
            folder = RunFolder(self.work_dir, spec)
            record = folder.check(RunRecord.of(spec, config))
            done, there = 0, None
            if known and (record is None or not record.has_ended):
                there = known.get(self._finished(spec, config).key)
            if there is not None:
                self.results.elsewhere[spec] = there
            elif record is not None and not record.has_ended:
                newest = folder.checkpoint()
                done = newest[1] if newest is not None else 0
            planned.append(PlannedRun(spec, config, record, done, there is not None))
        return planned

    def run(self, keep_open: Sequence[int] = ()) -> list[Failure]:
        """Run what is missing; a run that fails does not keep others from running.

        Args:
            keep_open: File descriptors for the processes to inherit, those of the lock.

        Returns:
            The runs that have failed.

        Raises:
            Interrupted: If a signal asks to stop; the run that it hits can be resumed.
            RunFolderError: As :meth:`plan`, before anything is run.
        """
        planned = self.plan()
        versions = collect_versions()
        failures = []
        self.write_table()
        ended = [(item, item.record) for item in planned if not item.is_elsewhere]
        self._note([(item, record) for item, record in ended if record is not None])
        for number, item in enumerate(planned, start=1):
            if item.has_ended:
                continue
            head = f"[{number}/{len(planned)}] {item.spec}"
            try:
                record = self._run_one(item, versions, head, keep_open)
            except RunFailedError as error:
                failures.append(Failure(item.spec, error.log, str(error)))
                self.say(f"{head}: failed: {error} (log: {error.log})")
                continue
            self._note([(item, record)])
            result = record.result or {}
            self.say(
                f"{head}: {result.get('top1', 0):.1f} % after {record.minutes:.1f} min"
            )
            self.write_table()
        return failures

    def _finished(self, spec: RunSpec, config: RunConfig) -> FinishedRun:
        """Returns the line of a run, without its result."""
        test = annotated_data(config.resolved, "test_dataloader").settings
        own = self.configs.base(spec.benchmark, spec.stream)["model"]["backbone"]
        width = config.resolved["model"]["backbone"].get("base_channels")
        same = width == own.get("base_channels")
        return FinishedRun(
            set=spec.benchmark,
            table=self.table.name,
            backbone=spec.variant.backbone + ("" if same else f"@{width}"),
            arm=spec.variant.arm,
            shots=ALL if spec.shots is None else str(spec.shots),
            seed=spec.seed,
            fold=test["split"].removesuffix("_val"),
            epochs=config.max_epochs,
        )

    def _note(self, runs: Sequence[tuple[PlannedRun, RunRecord]]) -> None:
        """Write lines of those that have ended."""
        if self.runs_csv is None:
            return
        lines = (
            self._finished(item.spec, item.config)._replace(
                top1=record.result["top1"],
                commit=record.versions.get("commit", "unknown"),
            )
            for item, record in runs
            if record.has_ended and record.result is not None
        )
        add_runs(self.runs_csv, lines)

    def text(self) -> str:
        """Give the table as Markdown."""
        return to_markdown(self.table, self.results, self.seeds, self.how)

    def write_table(self) -> None:
        """Write the table, with dashes for what is missing."""
        markdown, comma = self.table_files
        for path, text in (
            (markdown, self.text()),
            (comma, to_csv(self.table, self.results, self.seeds)),
        ):
            with atomic_file(path) as stream:
                stream.write(text.encode())

    def _run_one(
        self,
        item: PlannedRun,
        versions: dict[str, str],
        head: str,
        keep_open: Sequence[int],
    ) -> RunRecord:
        folder = RunFolder(self.work_dir, item.spec)
        record = item.record or RunRecord.of(item.spec, item.config)
        record.processes = item.config.processes
        with running(folder, record, item.config, versions):
            checkpoint = self.trainer.train(
                item.config, folder, record, head, keep_open
            )
            self._test(item, folder, record, checkpoint, keep_open)
        folder.remove_other_checkpoints(checkpoint.name)
        return record

    def _test(
        self,
        item: PlannedRun,
        folder: RunFolder,
        record: RunRecord,
        checkpoint: Path,
        keep_open: Sequence[int],
    ) -> None:
        """Test, and take the accuracies from the scores."""
        folder.new_scores.unlink(missing_ok=True)
        command = self.launcher.test(
            *(folder.config, checkpoint, folder.test_dir, folder.new_scores),
            item.config.options,
        )
        self.trainer.call("test", command, folder.test_log, folder, record, keep_open)
        try:
            scores = load_scores(folder.new_scores)
        except (OSError, ValueError, pickle.UnpicklingError) as error:
            raise RunFailedError(folder.test_log, str(error)) from error
        os.replace(folder.new_scores, folder.scores)
        values = accuracy(scores.scores, scores.labels)
        record.result = {
            "top1": 100 * values.top1,
            "best_top1": _best_epoch(folder.train_dir),
            "top5": 100 * values.top5,
            "mean_class": 100 * values.mean_class,
            "samples": len(scores.labels),
            "checkpoint": checkpoint.name,
        }


def _best_epoch(run: Path) -> float | None:
    """Returns the best top-1 accuracy in percent that the training has logged."""
    try:
        _, values = read_training_log(run).curves["acc/top1"]
    except (FileNotFoundError, KeyError, ValueError):
        return None
    return 100 * float(values.max())
