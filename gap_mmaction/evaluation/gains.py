"""Gains of one arm of a comparison over another, from runs paired by their seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from .finished_runs import ALL, FinishedRun

ARMS = ("plain", "random", "shuffled", "gap")
PAIRS = (("gap", "plain"), ("gap", "random"), ("random", "plain"), ("gap", "shuffled"))
"""Which are compared, the first minus the second."""

MEAN = "mean of the sets"

Group = tuple[str, str, str]
"""What runs share that are compared: data set, network, clips of each class."""

Accuracies = dict[Group, dict[str, dict[int, float]]]
"""Top-1 in percent, the mean over the folds, by group, arm and seed."""


class Gain(NamedTuple):
    """A gain in points of top-1; of a single seed or equal ones without intervals."""

    values: tuple[float, ...]  # of each seed, or of each set
    mean: float
    interval: tuple[float, float] | None = None  # 95 %, by Student's t
    bootstrap: tuple[float, float] | None = None  # 95 %, by drawing seeds
    p: float | None = None  # of the t test


def accuracies(
    runs: Sequence[FinishedRun], num_folds: Mapping[str, int] | None = None
) -> Accuracies:
    """Sorts runs into groups, and averages the folds of the seeds that have them all.

    ``num_folds`` are those of sets; by default a set has those that it has runs of.

    Raises:
        ValueError: If there is a run in two lengths.
    """
    folds: dict[Group, dict[tuple[str, int], dict[str, FinishedRun]]] = {}
    for run in runs:
        # What tests on a part of the training split is another set.
        name = " ".join([run.set, *run.fold.split("_")[1:]])
        group = folds.setdefault((name, run.backbone, run.shots), {})
        other = group.setdefault((run.arm, run.seed), {}).setdefault(run.fold, run)
        if other is not run:
            raise ValueError(
                f"{name}, {run.backbone}, {run.shots} clips, {run.arm}, seed "
                f"{run.seed}, {run.fold}: there are runs of {other.epochs} and of "
                f"{run.epochs} epochs; remove one of the lengths"
            )
    found: Accuracies = {}
    for key in sorted(folds, key=_order):
        every = {fold for of_seed in folds[key].values() for fold in of_seed}
        count = max(len(every), (num_folds or {}).get(key[0].split()[0], 0))
        found[key] = defaultdict(dict)
        for (arm, seed), of_seed in sorted(folds[key].items()):
            if len(of_seed) == count:
                mean = np.mean([run.top1 for run in of_seed.values()])
                found[key][arm][seed] = float(mean)
    return found


def _order(group: Group) -> tuple[str, str, float]:
    return group[0], group[1], math.inf if group[2] == ALL else float(group[2])


def paired_gain(first: dict[int, float], second: dict[int, float]) -> Gain | None:
    """Returns what one arm, by seed, gains over another; None without a common seed."""
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    values = np.array([first[seed] - second[seed] for seed in seeds])
    gain = Gain(tuple(values.tolist()), float(values.mean()))
    if np.ptp(values) < 1e-9:
        return gain
    test = stats.ttest_1samp(values, 0.0)
    drawn = stats.bootstrap((values,), np.mean, method="percentile", random_state=0)
    spans = (test.confidence_interval(0.95), drawn.confidence_interval)
    interval, bootstrap = ((float(span.low), float(span.high)) for span in spans)
    return gain._replace(interval=interval, bootstrap=bootstrap, p=float(test.pvalue))


def mean_gain(gains: Sequence[Gain]) -> Gain:
    """Returns the mean of the gains on several sets, each of two seeds or more.

    It holds for these sets: how much sets differ is not in the interval, whose degrees
    of freedom are those of Welch and Satterthwaite.
    """
    means = [gain.mean for gain in gains]
    found = Gain(tuple(means), float(np.mean(means)))
    parts = np.array([np.var(g.values, ddof=1) / len(g.values) for g in gains])
    if parts.sum() < 1e-9:
        return found
    degrees = np.array([len(gain.values) - 1 for gain in gains])
    freedom = parts.sum() ** 2 / (parts**2 / degrees).sum()
    error = np.sqrt(parts.sum()) / len(gains)
    low, high = stats.t.interval(0.95, freedom, found.mean, error)
    p = 2 * stats.t.sf(abs(found.mean) / error, freedom)
    return found._replace(interval=(float(low), float(high)), p=float(p))


def gains_of(found: Accuracies) -> dict[tuple[Group, str], Gain]:
    """Returns the gains by group and by the comparison's name, ``gap - plain``.

    After those of the sets are those of the mean over all sets with as many clips.
    """
    gains: dict[tuple[Group, str], Gain] = {}
    of_sets: dict[tuple[Group, str], list[Gain]] = defaultdict(list)
    for group, arms in found.items():
        for first, second in PAIRS:
            gain = paired_gain(arms.get(first, {}), arms.get(second, {}))
            if gain is not None:
                name = f"{first} - {second}"
                gains[group, name] = gain
                if len(gain.values) > 1:
                    # Parts of training splits, ``SET dev``, have a mean of their own.
                    mean = " ".join([MEAN, *group[0].split()[1:]])
                    of_sets[(mean, *group[1:]), name].append(gain)
    order = sorted(of_sets, key=lambda key: _order(key[0]))
    several = [key for key in order if len(of_sets[key]) > 1]
    return gains | {key: mean_gain(of_sets[key]) for key in several}


def gains_text(found: Accuracies) -> str:
    """Writes a page in Markdown with accuracies and gains as two tables."""
    arms = [arm for arm in ARMS if any(arm in group for group in found.values())]
    gains = gains_of(found)
    pairs = [f"gap - {arm}" for arm in arms if arm != "gap"]
    heads = ("set", "backbone", "clips", *arms, *pairs)
    lines = [
        "# What GAP gains",
        "",
        "`plain` has no text branch, `random` a random vector in place of each text's "
        "feature, `shuffled` the texts of other classes, `gap` its own. `ctrgcn@32` is "
        "CTR-GCN with `base_channels=32`. All are tested on the test split, but for "
        "sets with a split's name, such as `dev`. The commit of each run stands beside "
        "it in the CSV file.",
        "",
        _line(*heads),
        "|---" * len(heads) + "|",
    ]
    for group, of_arm in found.items():
        cells = []
        for values in (list(of_arm.get(arm, {}).values()) for arm in arms):
            spread = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
            mean = f"{np.mean(values):.1f}{spread} ({len(values)})" if values else "-"
            cells.append(mean)
        for gain in (gains.get((group, pair)) for pair in pairs):
            span = f" ({_span(gain.interval)})" if gain and gain.interval else ""
            cells.append(f"{gain.mean:+.1f}{span}" if gain else "-")
        lines.append(_line(*group, *cells))
    columns = ("difference", "mean", "95 %, t", "95 %, bootstrap", "p", "each")
    lines += [
        "",
        "Top-1 % of the last epoch, mean ± standard deviation over the seeds (in "
        "brackets how many), each the mean of its folds. Gains are paired by seed and "
        "listed for each; the last ones are means over the sets, listed for each set, "
        "with Welch's interval.",
        "",
        _line("set", "backbone", "clips", *columns),
        "|---" * 9 + "|",
    ]
    for (group, name), gain in gains.items():
        spans = (_span(span) for span in (gain.interval, gain.bootstrap))
        p = "-" if gain.p is None else f"{gain.p:.2g}"
        each = " ".join(f"{value:+.1f}" for value in gain.values)
        lines.append(_line(*group, name, f"{gain.mean:+.2f}", *spans, p, each))
    return "\n".join(lines) + "\n"


def _span(span: tuple[float, float] | None) -> str:
    return "-" if span is None else f"{span[0]:+.1f} to {span[1]:+.1f}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
