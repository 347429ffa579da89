"""Accuracies of runs that have ended."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gap_mmaction.evaluation.accuracy import accuracy
from gap_mmaction.evaluation.fusion import (
    are_probabilities,
    fuse_scores,
    transform_scores,
)
from gap_mmaction.evaluation.same_samples import check_same_samples
from gap_mmaction.evaluation.score_file import load_scores

from .measure import STREAM_WEIGHTS, Measure, Replicate
from .run_folder import RunFolder
from .run_spec import RunSpec


@dataclass(frozen=True)
class Statistic:
    """What is known of a number of a table.

    Attributes:
        values: Accuracies in percent of the replicates that have ended.
        planned: Number of replicates in all.
    """

    values: tuple[float, ...]
    planned: int

    @property
    def mean(self) -> float | None:
        """Their mean, None without any."""
        return float(np.mean(self.values)) if self.values else None

    @property
    def deviation(self) -> float | None:
        """Their standard deviation (with n - 1), None for less than two."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


class Results:
    """Reads results from the folders of runs.

    Args:
        work_dir: The work dir.

    Attributes:
        elsewhere: Accuracies of runs that were made on other machines.
        problems: Why there is no ensemble though its runs have ended.
    """

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir
        self.elsewhere: dict[RunSpec, float] = {}
        self.problems: dict[Replicate, str] = {}
        self._fused: dict[Replicate, float] = {}

    def statistic(
        self, measure: Measure, seeds: Sequence[int], best: bool = False
    ) -> Statistic:
        """Gather the accuracies behind a number of a table.

        Args:
            measure: The number.
            seeds: The seeds that count.
            best: Whether to take each run's best epoch in place of its last.

        Returns:
            What is known of it.
        """
        replicates = measure.replicates(seeds)
        values = [self.accuracy(replicate, best) for replicate in replicates]
        return Statistic(
            tuple(value for value in values if value is not None), len(replicates)
        )

    def accuracy(self, replicate: Replicate, best: bool = False) -> float | None:
        """Give the top-1 accuracy of a run, or of an ensemble of streams.

        Args:
            replicate: The run, or the runs.
            best: Whether to take the run's best epoch in place of its last; there is
                none of an ensemble.

        Returns:
            Percent; None while one of them has not ended, or its scores are of no use.
        """
        folders = [RunFolder(self.work_dir, spec) for spec in replicate]
        records = [folder.read() for folder in folders]
        results = [
            record.result
            for record in records
            if record is not None and record.has_ended and record.result is not None
        ]
        if len(results) < len(replicate):
            single = len(replicate) == 1 and not best
            return self.elsewhere.get(replicate[0]) if single else None
        if best:
            value = results[0].get("best_top1") if len(replicate) == 1 else None
            return None if value is None else float(value)
        if len(replicate) == 1:
            return float(results[0]["top1"])
        if replicate not in self._fused:
            self.problems.pop(replicate, None)
            weights = [STREAM_WEIGHTS[spec.stream] for spec in replicate]
            try:
                files = [folder.scores for folder in folders]
                self._fused[replicate] = fused_accuracy(files, weights)
            except (OSError, ValueError, pickle.UnpicklingError) as error:
                self.problems[replicate] = str(error)
                return None
        return self._fused[replicate]


def fused_accuracy(paths: Sequence[Path], weights: Sequence[float]) -> float:
    """Score an ensemble as the published ones are: a weighted sum of raw scores.

    Of probabilities, which mmaction2's heads give, the logarithm decides alike.

    Args:
        paths: Score files.
        weights: One for each.

    Returns:
        Top-1 accuracy in percent.

    Raises:
        FileNotFoundError: If a file is not there.
        pickle.UnpicklingError: If one cannot be read.
        ValueError: If they do not belong together, or are not finite.
    """
    files = [load_scores(path) for path in paths]
    check_same_samples(files)
    transform = "log" if all(are_probabilities(f.scores) for f in files) else "none"
    scores = [transform_scores(f.scores, transform, f.path) for f in files]
    return 100 * accuracy(fuse_scores(scores, weights), files[0].labels).top1
