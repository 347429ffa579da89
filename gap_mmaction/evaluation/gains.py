"""What one arm of a comparison gains over another, from runs paired by their seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from .finished_runs import ALL, FinishedRun

ARMS = ("plain", "random", "shuffled", "gap")
PAIRS = (("gap", "plain"), ("gap", "random"), ("random", "plain"), ("gap", "shuffled"))
"""Which are compared, the first minus the second."""

Interval = tuple[float, float]


class Group(NamedTuple):
    """What runs have to share to be compared: a data set, a network, clips."""

    set: str
    backbone: str
    shots: str

    def __str__(self) -> str:
        return f"{self.set}, {self.backbone}, {self.shots}"

    @property
    def order(self) -> tuple[str, str, float]:
        """To sort by, all clips last."""
        shots = math.inf if self.shots == ALL else float(self.shots)
        return self.set, self.backbone, shots


class Gain(NamedTuple):
    """A gain in points of top-1.

    Attributes:
        values: For each seed.
        mean: Their mean.
        interval: 95 % interval of the mean by Student's t, None where there is none: of
            a single seed, or of seeds that are all alike.
        bootstrap: 95 % interval by drawing seeds with replacement.
        p: Of the paired t test.
    """

    values: tuple[float, ...]
    mean: float
    interval: Interval | None = None
    bootstrap: Interval | None = None
    p: float | None = None


Accuracies = dict[Group, dict[str, dict[int, float]]]
"""Top-1 in percent, the mean over the folds, by group, arm and seed."""


def accuracies(runs: Sequence[FinishedRun]) -> Accuracies:
    """Sort runs, and average the folds of each seed.

    Args:
        runs: The runs.

    Returns:
        The accuracies of the seeds that have all folds of their group.

    Raises:
        ValueError: If there is a run in two lengths, which are not to be mixed.
    """
    folds: dict[Group, dict[tuple[str, int], dict[str, FinishedRun]]] = {}
    for run in runs:
        part = run.fold.partition("_")[2]
        name = f"{run.set} {part}" if part else run.set
        group = Group(name, run.backbone, run.shots)
        of_seed = folds.setdefault(group, {}).setdefault((run.arm, run.seed), {})
        other = of_seed.setdefault(run.fold, run)
        if other is not run:
            raise ValueError(
                f"{group}, {run.arm}, seed {run.seed}, {run.fold}: there are runs of "
                f"{other.epochs} and of {run.epochs} epochs; remove one of the lengths"
            )
    found: Accuracies = {}
    for group in sorted(folds, key=lambda group: group.order):
        every = {fold for of_seed in folds[group].values() for fold in of_seed}
        found[group] = defaultdict(dict)
        for (arm, seed), of_seed in sorted(folds[group].items()):
            if len(of_seed) == len(every):
                values = [run.top1 for run in of_seed.values()]
                found[group][arm][seed] = float(np.mean(values))
    return found


def paired_gain(first: dict[int, float], second: dict[int, float]) -> Gain | None:
    """Compare two arms over the seeds that both have.

    Args:
        first: Accuracy by seed.
        second: That of the other arm.

    Returns:
        What the first gains over the second, None without a common seed.
    """
    seeds = sorted(first.keys() & second.keys())
    values = np.array([first[seed] - second[seed] for seed in seeds])
    if not seeds:
        return None
    gain = Gain(tuple(values.tolist()), float(values.mean()))
    if np.ptp(values) < 1e-9:
        return gain
    test = stats.ttest_1samp(values, 0.0)
    drawn = stats.bootstrap((values,), np.mean, method="percentile", random_state=0)
    low, high = test.confidence_interval(0.95)
    own = drawn.confidence_interval
    return gain._replace(
        interval=(float(low), float(high)),
        bootstrap=(float(own.low), float(own.high)),
        p=float(test.pvalue),
    )


def gains_of(found: Accuracies) -> dict[tuple[Group, str], Gain]:
    """Compare the arms of each group.

    Returns:
        By group and the comparison's name, ``gap - plain``.
    """
    gains = {}
    for group, arms in found.items():
        for first, second in PAIRS:
            gain = paired_gain(arms.get(first, {}), arms.get(second, {}))
            if gain is not None:
                gains[group, f"{first} - {second}"] = gain
    return gains


def gains_text(found: Accuracies) -> str:
    """Write accuracies and gains as two Markdown tables."""
    arms = [arm for arm in ARMS if any(arm in group for group in found.values())]
    lines = [f"| set | backbone | clips | {' | '.join(arms)} |"]
    lines.append(f"|{'---|' * 3}{'--:|' * len(arms)}")
    for group, of_arm in found.items():
        cells = [_accuracy(list(of_arm.get(arm, {}).values())) for arm in arms]
        lines.append(f"| {' | '.join([*group, *cells])} |")
    lines += [
        "",
        "Top-1 % of the last epoch, mean ± standard deviation over the seeds (in "
        "brackets how many), each the mean of its folds.",
        "",
        "| set | backbone | clips | difference | mean | 95 %, t | 95 %, bootstrap "
        "| p | each seed |",
        "|---|---|---|---|--:|---|---|--:|---|",
    ]
    for (group, name), gain in gains_of(found).items():
        p = "-" if gain.p is None else f"{gain.p:.2g}"
        each = " ".join(f"{value:+.1f}" for value in gain.values)
        spans = [_span(gain.interval), _span(gain.bootstrap)]
        cells = [*group, name, f"{gain.mean:+.2f}", *spans, p, each]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _accuracy(values: Sequence[float]) -> str:
    if not values:
        return "-"
    spread = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread} ({len(values)})"


def _span(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval[0]:+.1f} to {interval[1]:+.1f}"
