"""Results of runs, and a table with them as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gap_mmaction.evaluation import fusion
from gap_mmaction.evaluation.accuracy import accuracy
from gap_mmaction.evaluation.score_file import check_same_samples, load_scores

from .paper_tables import ABLATION_DATA_SET, COMPARISONS
from .tables import DATA_SETS, STREAM_WEIGHTS, Cell, Measure, RunSpec, Table

SCORES = "scores.pkl"
"""The file of a run's scores, in its folder."""

NOTHING = "-"
_CSV = (
    *("table", "row", "column", "benchmark", "model", "mean", "std", "runs"),
    *("runs_planned", "values", "best_epoch_mean", "best_epoch_values", "paper"),
)


class Results:
    """Accuracies in percent of runs and of ensembles in a work dir.

    ``found`` has the results of runs that have ended, ``problems`` why there is no
    ensemble though its runs have ended.
    """

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir
        self.found: dict[RunSpec, Mapping[str, Any]] = {}
        self.problems: dict[tuple[RunSpec, ...], str] = {}
        self._fused: dict[tuple[RunSpec, ...], float] = {}

    def values(
        self, measure: Measure, seeds: Sequence[int], best: bool = False
    ) -> list[float]:
        """Lists the known accuracies behind a number of a table, by seed and fold.

        ``best`` takes each run's best epoch in place of its last; ensembles have none.
        """
        values = []
        for replicate in measure.replicates(seeds):
            if all(spec in self.found for spec in replicate):
                if len(replicate) == 1:
                    key = "best_top1" if best else "top1"
                    values.append(self.found[replicate[0]].get(key))
                elif not best:
                    values.append(self._fuse(replicate))
        return [float(value) for value in values if value is not None]

    def _fuse(self, replicate: tuple[RunSpec, ...]) -> float | None:
        if replicate not in self._fused:
            paths = [self.work_dir / spec.name / SCORES for spec in replicate]
            weights = [STREAM_WEIGHTS[spec.stream] for spec in replicate]
            try:
                self._fused[replicate] = fused_accuracy(paths, weights)
            except (OSError, ValueError, pickle.UnpicklingError) as error:
                self.problems[replicate] = str(error)
        return self._fused.get(replicate)


def fused_accuracy(paths: Sequence[Path], weights: Sequence[float]) -> float:
    """Returns the top-1 accuracy in percent of a weighted sum of raw scores in files.

    Of probabilities, which mmaction2's heads give, the logarithm decides alike. A
    ValueError says that they do not belong together.
    """
    files = [load_scores(path) for path in paths]
    check_same_samples(files)
    in_range = all(fusion.are_probabilities(file.scores) for file in files)
    kind = "log" if in_range else "none"
    scores = [fusion.transform_scores(file.scores, kind, file.path) for file in files]
    return 100 * accuracy(fusion.fuse_scores(scores, weights), files[0].labels).top1


def markdown_rows(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns lines with bars between cells."""
    return [f"| {' | '.join(cells)} |" for cells in rows]


def to_markdown(table: Table, results: Results, seeds: Sequence[int], how: str) -> str:
    """Writes a table as Markdown; ``how`` runs were made is in a line below."""
    in_paper = any(measure.paper is not None for measure in table.measures)
    heads = [*table.word_columns]
    for column in table.columns:
        heads += [f"{column}, last epoch [best epoch]"]
        heads += [f"{column}, *paper*"] * in_paper
    rows = [heads, ["---"] * len(heads)]
    for row in table.rows:
        cells = [*row.words]
        for cell in row.cells:
            cells += [" / ".join(_ours(m, results, seeds) for m in cell) or NOTHING]
            cells += [_papers(cell)] * in_paper
        rows.append(cells)
    notes = [*_notes(table, seeds, how), *table.notes]
    for problem in dict.fromkeys(results.problems.values()):
        notes.append(f"An ensemble is missing: {problem}.")
    number = f"Table {table.name}. " if table.name[0].isdigit() else ""
    lines = [f"**{number}{table.title}**", "", *markdown_rows(rows)]
    return "\n".join([*lines, *(f"\n{note}" for note in notes)]) + "\n"


def to_csv(table: Table, results: Results, seeds: Sequence[int]) -> str:
    """Writes a line for each number of a table, with those of all seeds and folds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV)
    numbers = (
        (" / ".join(row.words), column, measure)
        for row in table.rows
        for column, cell in zip(table.columns, row.cells)
        for measure in cell
    )
    for words, column, measure in numbers:
        values = results.values(measure, seeds)
        best = results.values(measure, seeds, best=True)
        paper = "" if measure.paper is None else measure.paper
        model = f"{measure.variant.name} {'+'.join(measure.streams)}"
        writer.writerow(
            [
                *(table.name, words, column, measure.data_set, model),
                *(_full(_mean(values)), _full(_deviation(values)), len(values)),
                *(len(measure.replicates(seeds)), " ".join(map(_full, values))),
                *(_full(_mean(best)), " ".join(map(_full, best)), paper),
            ]
        )
    return out.getvalue()


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _deviation(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _full(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _ours(measure: Measure, results: Results, seeds: Sequence[int]) -> str:
    values = results.values(measure, seeds)
    best = results.values(measure, seeds, best=True)
    if not values:
        return NOTHING
    deviation, planned = _deviation(values), len(measure.replicates(seeds))
    text = f"{np.mean(values):.1f}"
    text += "" if deviation is None else f" ± {deviation:.1f}"
    text += f" [{np.mean(best):.1f}]" if best else ""
    return text + (f" ({len(values)} of {planned})" if len(values) < planned else "")


def _papers(cell: Cell) -> str:
    values = [NOTHING if m.paper is None else f"{m.paper:.1f}" for m in cell]
    return NOTHING if set(values) <= {NOTHING} else " / ".join(values)


def _notes(table: Table, seeds: Sequence[int], how: str) -> list[str]:
    sets = [DATA_SETS[name] for name in table.data_sets]
    over = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]}-{seeds[-1]}"
    if any(measure.folds for measure in table.measures):
        over = f"the folds, {over}"
    ours = (
        f"Ours: {'; '.join(item.title for item in sets)}; {how}; top-1 % of the last "
        f'epoch, mean ± standard deviation (n - 1) over {over}. "(1 of 5)": only so '
        f'many have ended; "{NOTHING}": none. In brackets the best epoch, chosen on '
        "the test set itself, which is what the public code reports."
    )
    if all(measure.paper is None for measure in table.measures):
        return [ours]
    if table.name in COMPARISONS:
        where = "means of 5 runs, standard deviation about 0.1"
        if any(item.recipe_of for item in sets):
            where += ", with another recipe than ours"
    else:
        where = f"on {DATA_SETS[ABLATION_DATA_SET].title}, joint stream"
        if table.data_sets != [ABLATION_DATA_SET]:
            where += ", so not to be compared with ours number by number"
    return [ours, f"*Paper*: the paper's numbers, not ours; {where}."]
