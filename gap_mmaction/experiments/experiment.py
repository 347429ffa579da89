"""All runs of a table: what is left of them, what that costs, and making them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gap_mmaction.evaluation.accuracy import accuracy
from gap_mmaction.evaluation.finished_runs import ALL, FinishedRun, add_runs, read_runs
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.evaluation.training_log import read_training_log
from gap_mmaction.utils.config_parts import annotated_data
from gap_mmaction.utils.files import write_file

from .launcher import Launcher, RunFailedError
from .runs import Run, make_runs
from .table_configs import TableConfigs
from .table_text import SCORES, Results, markdown_rows, to_csv, to_markdown
from .tables import RunSpec, Table


@dataclass
class Experiment:
    """The runs of a table in a work dir, an absolute path.

    ``how`` they are made is a line below the table; ``runs_csv`` has a line for each
    run that has ended, here or elsewhere, see :class:`FinishedRun`: these are not run.
    """

    table: Table
    seeds: Sequence[int]
    work_dir: Path
    configs: TableConfigs
    launcher: Launcher
    how: str = ""
    runs_csv: Path | None = None

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

    def plan(self) -> dict[RunSpec, Run]:
        """Returns every run with what is there of it.

        A ValueError says that settings do not fit, that the folder of a run is that of
        another one, or that a line of ``runs_csv`` is wrong.
        """
        lines = read_runs(self.runs_csv) if self.runs_csv else []
        known, runs = {line.key: line.top1 for line in lines}, {}
        for spec in self.table.runs(self.seeds):
            run = Run(self.work_dir, spec.name, spec.seed, self.configs.make(spec))
            there = known.get(self._line(spec, run).key)
            if run.result is None and there is not None:
                run.record["result"] = {"top1": there, "elsewhere": True}
            runs[spec] = run
            if run.result:
                self.results.found[spec] = run.result
        return runs

    def run(self) -> list[str]:
        """Runs what is missing; returns a line for each run that has failed."""
        runs = self.plan()
        specs = {run.name: spec for spec, run in runs.items()}

        def note(*ended: Run) -> None:
            self.results.found.update({specs[run.name]: run.result for run in ended})
            if self.runs_csv is not None:
                lines = [self._line(specs[run.name], run) for run in ended]
                add_runs(self.runs_csv, lines)
            texts = (self.text, to_csv(self.table, self.results, self.seeds))
            for path, text in zip(self.table_files, texts):
                write_file(path, text)

        note(*(run for run in runs.values() if run.result is not None))
        left = [run for run in runs.values() if run.result is None]
        return make_runs(left, self.launcher, self._test, note)

    def _line(self, spec: RunSpec, run: Run) -> FinishedRun:
        """Returns the line of a run; without a result its accuracy is none."""
        settings = run.config.settings
        own = self.configs.base(spec.data_set, spec.stream).model.backbone
        width = settings.model.backbone.get("base_channels")
        suffix = "" if width == own.get("base_channels") else f"@{width}"
        suffix += "" if spec.stream == "joint" else f" {spec.stream}"
        test = annotated_data(settings, "test_dataloader").settings
        return FinishedRun(
            set=spec.data_set,
            table=self.table.name,
            backbone=f"{spec.variant.backbone}{suffix}",
            arm=spec.variant.arm,
            shots=ALL if spec.shots is None else str(spec.shots),
            seed=spec.seed,
            fold=test["split"].removesuffix("_val"),
            epochs=run.epochs,
            top1=(run.result or {}).get("top1", float("nan")),
            commit=run.record["versions"].get("commit", "unknown"),
        )

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
        values, best = accuracy(found.scores, found.labels), None
        with suppress(FileNotFoundError, KeyError, ValueError):
            curve = read_training_log(run.path / "train").curves["acc/top1"]
            best = 100 * float(curve[1].max())
        return {
            "top1": 100 * values.top1,
            "best_top1": best,
            "top5": 100 * values.top5,
            "mean_class": 100 * values.mean_class,
            "samples": len(found.labels),
        }


def plan_text(runs: Mapping[RunSpec, Run]) -> str:
    """Lists runs and their cost as a Markdown table, and a line with the sums."""
    heads = ("epochs left", "iterations left", "minutes left, estimated")
    rows = [["run", "state", *heads], ["---"] * 5]
    left = [run.iterations_left for run in runs.values()]
    minutes = [_minutes_left(spec, runs) for spec in runs]
    for run, steps, own in zip(runs.values(), left, minutes):
        done = f"stopped at epoch {run.epochs_done}" if run.epochs_done else "to run"
        if run.result is not None:
            done = "ended elsewhere" if run.result.get("elsewhere") else "ended"
        numbers = ["?" if n is None else f"{n:,.0f}" for n in (steps, own)]
        rows.append([run.name, done, str(run.epochs_left), *numbers])
    total = "an unknown number of" if None in left else f"{sum(filter(None, left)):,}"
    epochs = [run.epochs_left for run in runs.values()]
    summary = f"{len(runs)} runs, {sum(map(bool, epochs))} of them to train: "
    summary += f"{sum(epochs):,} epochs, {total} iterations"
    known, unknown = sum(filter(None, minutes)), minutes.count(None)
    if known:
        hours = f"{known / 60:.1f} hours" if known >= 90 else f"{known:.0f} minutes"
        summary += f"; about {hours} by the runs that have ended"
        if unknown:
            summary += f", without {unknown} runs that nothing is known of"
    elif any(epochs):
        summary += "; no estimate of time before a run has ended in this work dir"
    return "\n".join([*markdown_rows(rows), "", f"{summary}."])


def _minutes_left(spec: RunSpec, runs: Mapping[RunSpec, Run]) -> float | None:
    """Estimates by ended runs of the same model or, without any, of the data set."""
    left = runs[spec].iterations_left
    times: dict[bool, list[float]] = {True: [], False: []}
    for other, run in runs.items():
        minutes, iterations = run.record["minutes"], run.config.iterations
        if run.result and minutes and iterations and other.data_set == spec.data_set:
            times[other.variant == spec.variant].append(minutes / iterations)
    alike = times[True] or times[False]
    if left == 0:
        return 0.0
    return left * sum(alike) / len(alike) if left and alike else None
