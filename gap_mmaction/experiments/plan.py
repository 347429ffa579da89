"""What is left to run, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .run_config import RunConfig
from .run_record import RunRecord
from .run_spec import RunSpec


@dataclass(frozen=True)
class PlannedRun:
    """A run and what is left of it.

    Attributes:
        spec: The run.
        config: Its config.
        record: What is written down about it, None before it has started.
        epochs_done: Epochs that need not be trained again.
        is_elsewhere: Whether another machine has made it.
    """

    spec: RunSpec
    config: RunConfig
    record: RunRecord | None
    epochs_done: int = 0
    is_elsewhere: bool = False

    @property
    def state(self) -> str:
        """What has become of it, in words."""
        if self.has_ended:
            return "ended elsewhere" if self.is_elsewhere else "ended"
        if self.record is None:
            return "to run"
        word = {"running": "killed"}.get(self.record.state, self.record.state)
        return f"{word} at epoch {self.epochs_done}"

    @property
    def has_ended(self) -> bool:
        """Whether there is a result, here or elsewhere."""
        return self.is_elsewhere or (self.record is not None and self.record.has_ended)

    @property
    def epochs_left(self) -> int:
        """Epochs that are left to train."""
        if self.has_ended:
            return 0
        return max(0, self.config.max_epochs - self.epochs_done)

    @property
    def iterations_left(self) -> int | None:
        """Iterations that are left, None where the data are not there."""
        total = self.config.iterations
        if total is None:
            return None if self.epochs_left else 0
        return round(total * self.epochs_left / self.config.max_epochs)


def minutes_per_iteration(
    runs: Sequence[PlannedRun], others: Mapping[RunSpec, RunRecord]
) -> dict[RunSpec, float]:
    """Estimate the time of an iteration from runs that have ended.

    Args:
        runs: The runs to estimate for.
        others: Records of the same work dir.

    Returns:
        The mean over the ended runs of the same model on the same benchmark, where
        there are none over all on the benchmark; nothing where there are none either.
    """
    ended = [
        (spec, record.minutes / record.iterations)
        for spec, record in others.items()
        if record.has_ended and record.iterations and record.minutes
    ]
    estimates = {}
    for run in runs:
        same = [t for s, t in ended if s.benchmark == run.spec.benchmark]
        alike = [
            t
            for s, t in ended
            if (s.benchmark, s.variant) == (run.spec.benchmark, run.spec.variant)
        ]
        times = alike or same
        if times:
            estimates[run.spec] = sum(times) / len(times)
    return estimates


def plan_text(runs: Sequence[PlannedRun]) -> str:
    """List runs and their cost as Markdown.

    Args:
        runs: The runs in their order.

    Returns:
        A table, and a line with the sums.
    """
    records = {run.spec: run.record for run in runs if run.record is not None}
    speed = minutes_per_iteration(runs, records)
    lines = [
        "| run | state | epochs left | iterations left | minutes left, estimated |",
        "|---|---|---|---|---|",
    ]
    total_minutes, total_iterations, unknown = 0.0, 0, 0
    for run in runs:
        left = run.iterations_left
        minutes = left * speed[run.spec] if left and run.spec in speed else None
        if left == 0:
            minutes = 0.0
        total_iterations += left or 0
        total_minutes += minutes or 0.0
        unknown += minutes is None
        cells = (
            str(run.spec),
            run.state,
            str(run.epochs_left),
            "?" if left is None else f"{left:,}",
            "?" if minutes is None else f"{minutes:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    open_runs = sum(run.epochs_left > 0 for run in runs)
    epochs = sum(run.epochs_left for run in runs)
    counted = all(run.iterations_left is not None for run in runs)
    iterations = f"{total_iterations:,}" if counted else "an unknown number of"
    summary = (
        f"{len(runs)} runs, {open_runs} of them to train: {epochs:,} epochs, "
        f"{iterations} iterations"
    )
    if not open_runs:
        time = ""
    elif unknown == len(runs) or (unknown and not total_minutes):
        time = "; no estimate of time before a run has ended in this work dir"
    else:
        rest = f", without {unknown} runs that nothing is known of" if unknown else ""
        time = f"; about {_hours(total_minutes)} by the runs that have ended{rest}"
    return "\n".join([*lines, "", f"{summary}{time}."])


def _hours(minutes: float) -> str:
    return f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{minutes:.0f} minutes"
