"""All runs of a table: what is left of them, what that costs, and making them."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, NamedTuple

from gap_mmaction.evaluation.accuracy import accuracy
from gap_mmaction.evaluation.finished_runs import ALL, FinishedRun, add_runs, read_runs
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.evaluation.training_log import read_training_log
from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.loader_data import annotated_data

from .launcher import Launcher, RunFailedError
from .runs import Run, make_runs
from .table_configs import TableConfigs
from .table_text import SCORES, Results, to_csv, to_markdown
from .tables import RunSpec, Table


class PlannedRun(NamedTuple):
    """A run and, if it was made on another machine, its accuracy there."""

    spec: RunSpec
    run: Run
    elsewhere: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether there is a result, here or elsewhere."""
        return self.run.result is not None or self.elsewhere is not None

    @property
    def state(self) -> str:
        """What has become of it, in words."""
        if self.has_ended:
            return "ended" if self.elsewhere is None else "ended elsewhere"
        done = self.run.epochs_done
        return f"stopped at epoch {done}" if done else "to run"

    @property
    def epochs_left(self) -> int:
        """Epochs that are left to train."""
        done = self.run.epochs_done
        return 0 if self.has_ended else self.run.config.max_epochs - done

    @property
    def iterations_left(self) -> int | None:
        """Iterations that are left, None where the data are not there."""
        total, epochs = self.run.config.iterations, self.run.config.max_epochs
        if not self.epochs_left or total is None:
            return 0 if not self.epochs_left else None
        return round(total * self.epochs_left / epochs)


@dataclass
class Experiment:
    """The runs of a table in a work dir.

    Attributes:
        table: The table.
        seeds: The seeds.
        work_dir: The work dir, an absolute path.
        configs: Makes the configs.
        launcher: Starts trainings and tests.
        how: How the runs are made, for a line below the table.
        runs_csv: A file with a line for each run that has ended, here or elsewhere,
            see :class:`FinishedRun`; None for none. What has a line is not run.
        say: Where to report to.
    """

    table: Table
    seeds: Sequence[int]
    work_dir: Path
    configs: TableConfigs
    launcher: Launcher
    how: str = ""
    runs_csv: Path | None = None
    say: Callable[[str], None] = print

    def __post_init__(self) -> None:
        """Begins without results."""
        self.results = Results(self.work_dir)

    @property
    def table_files(self) -> tuple[Path, Path]:
        """Where the table is written, as Markdown and as CSV."""
        name = "_".join(["table", self.table.name, *self.table.data_sets])
        return self.work_dir / f"{name}.md", self.work_dir / f"{name}.csv"

    @property
    def text(self) -> str:
        """The table as Markdown."""
        return to_markdown(self.table, self.results, self.seeds, self.how)

    def plan(self) -> list[PlannedRun]:
        """Returns every run with what is there of it.

        Raises:
            FileNotFoundError: If a config or the annotation file is not there.
            ValueError: If the settings do not fit, the folder of a run is that of
                another one, or a line of ``runs_csv`` is wrong.
        """
        lines = [] if self.runs_csv is None else read_runs(self.runs_csv)
        known = {line.key: line for line in lines}
        planned = []
        for spec in self.table.runs(self.seeds):
            run = Run(self.work_dir, spec.name, spec.seed, self.configs.make(spec))
            line = known.get(self._line(spec, run).key) if run.result is None else None
            item = PlannedRun(spec, run, None if line is None else line.top1)
            if item.has_ended:
                self.results.found[spec] = run.result or {"top1": item.elsewhere}
            planned.append(item)
        return planned

    def run(self) -> list[str]:
        """Runs what is missing.

        Returns:
            A line for each run that has failed.

        Raises:
            FileNotFoundError: As :meth:`plan`, before anything is run.
            ValueError: As :meth:`plan`.
        """
        planned = self.plan()
        specs = {item.run.name: item.spec for item in planned}
        if self.runs_csv is not None:
            ended = [item for item in planned if item.run.result is not None]
            add_runs(self.runs_csv, [self._line(item.spec, item.run) for item in ended])
        self.write_table()

        def note(run: Run) -> None:
            spec = specs[run.name]
            assert run.result is not None
            self.results.found[spec] = run.result
            if self.runs_csv is not None:
                add_runs(self.runs_csv, [self._line(spec, run)])
            self.write_table()

        left = [item.run for item in planned if not item.has_ended]
        return make_runs(left, self.launcher, self._test, note, self.say)

    def write_table(self) -> None:
        """Writes the table, with dashes for what is missing."""
        comma = to_csv(self.table, self.results, self.seeds)
        for path, text in zip(self.table_files, (self.text, comma)):
            with atomic_file(path) as stream:
                stream.write(text.encode())

    def _line(self, spec: RunSpec, run: Run) -> FinishedRun:
        """Returns the line of a run; without a result its accuracy is none."""
        settings = run.config.settings
        test = annotated_data(settings, "test_dataloader").settings
        own = self.configs.base(spec.data_set, spec.stream).model.backbone
        width = settings.model.backbone.get("base_channels")
        same = width == own.get("base_channels")
        line = FinishedRun(
            set=spec.data_set,
            table=self.table.name,
            backbone=spec.variant.backbone + ("" if same else f"@{width}"),
            arm=spec.variant.arm,
            shots=ALL if spec.shots is None else str(spec.shots),
            seed=spec.seed,
            fold=test["split"].removesuffix("_val"),
            epochs=run.config.max_epochs,
            commit=run.record["versions"].get("commit", "unknown"),
        )
        return line if run.result is None else line._replace(top1=run.result["top1"])

    def _test(self, run: Run, checkpoint: Path) -> dict[str, Any]:
        """Tests, and takes the accuracies from the scores."""
        log, scores = run.path / "test.log", run.path / SCORES
        self.launcher.call(
            *(log, "test", run.path / "config.py", checkpoint),
            *("--work-dir", run.path / "test", "--dump", scores),
        )
        try:
            found = load_scores(scores)
        except (OSError, ValueError, pickle.UnpicklingError) as error:
            raise RunFailedError(f"{error} (log: {log})") from error
        values = accuracy(found.scores, found.labels)
        return {
            "top1": 100 * values.top1,
            "best_top1": _best_epoch(run.path / "train"),
            "top5": 100 * values.top5,
            "mean_class": 100 * values.mean_class,
            "samples": len(found.labels),
        }


def _best_epoch(run: Path) -> float | None:
    """Returns the best top-1 accuracy in percent that the training has logged."""
    try:
        return 100 * float(read_training_log(run).curves["acc/top1"][1].max())
    except (FileNotFoundError, KeyError, ValueError):
        return None


def plan_text(planned: Sequence[PlannedRun]) -> str:
    """Lists runs and their cost as a Markdown table, and a line with the sums."""
    lines = [
        "| run | state | epochs left | iterations left | minutes left, estimated |",
        "|---|---|---|---|---|",
    ]
    left = [item.iterations_left for item in planned]
    minutes = [_minutes_left(item, planned) for item in planned]
    for item, steps, own in zip(planned, left, minutes):
        cells = [item.spec.name, item.state, str(item.epochs_left)]
        cells += ["?" if steps is None else f"{steps:,}"]
        cells += ["?" if own is None else f"{own:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    total = "an unknown number of" if None in left else f"{sum(filter(None, left)):,}"
    to_train = sum(item.epochs_left > 0 for item in planned)
    summary = (
        f"{len(planned)} runs, {to_train} of them to train: "
        f"{sum(item.epochs_left for item in planned):,} epochs, {total} iterations"
    )
    known, unknown = sum(filter(None, minutes)), minutes.count(None)
    if to_train and known:
        hours = f"{known / 60:.1f} hours" if known >= 90 else f"{known:.0f} minutes"
        summary += f"; about {hours} by the runs that have ended"
        if unknown:
            summary += f", without {unknown} runs that nothing is known of"
    elif to_train:
        summary += "; no estimate of time before a run has ended in this work dir"
    return "\n".join([*lines, "", f"{summary}."])


def _minutes_left(item: PlannedRun, planned: Sequence[PlannedRun]) -> float | None:
    """Estimates by ended runs of the same model or, without any, of the data set."""
    if not item.iterations_left:
        return item.iterations_left
    times: dict[bool, list[float]] = {True: [], False: []}
    for spec, run, _ in planned:
        if run.result and run.config.iterations and spec.data_set == item.spec.data_set:
            time = run.record["minutes"] / run.config.iterations
            times[spec.variant == item.spec.variant].append(time)
    alike = times[True] or times[False]
    return item.iterations_left * sum(alike) / len(alike) if alike else None
