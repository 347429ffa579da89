"""A table with its numbers, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from .benchmark import BENCHMARKS
from .paper_values import ABLATION_BENCHMARK
from .results import Results, Statistic
from .table import Cell, Table

NOTHING = "-"
_PAPER = "{}, *paper*"
_CSV = (
    *("table", "row", "column", "benchmark", "model", "mean", "std", "runs"),
    *("runs_planned", "values", "best_epoch_mean", "best_epoch_values", "paper"),
)


def to_markdown(table: Table, results: Results, seeds: Sequence[int], how: str) -> str:
    """Write a table in the paper's layout, the paper's numbers beside ours.

    Args:
        table: The table.
        results: Where the accuracies come from.
        seeds: The seeds that count.
        how: How the runs were made, for a line below the table.

    Returns:
        Markdown, with dashes for what is not there yet.
    """
    in_paper = any(measure.paper is not None for measure in table.measures)
    heads = [*table.word_columns]
    for column in table.columns:
        heads += [f"{column}, last epoch [best epoch]"]
        heads += [_PAPER.format(column)] if in_paper else []
    lines = [
        f"**Table {table.name}. {table.title}**"
        if table.name[0].isdigit()
        else f"**{table.title}**",
        "",
        _line(heads),
        _line(["---"] * len(heads)).replace(" ", ""),
    ]
    for row in table.rows:
        cells = [*row.words]
        for cell in row.cells:
            cells += [_ours(cell, results, seeds)]
            cells += [_papers(cell)] if in_paper else []
        lines.append(_line(cells))
    problems = dict.fromkeys(results.problems.values())
    for note in (
        *_notes(table, seeds, how),
        *(f"An ensemble is missing: {problem}." for problem in problems),
    ):
        lines += ["", note]
    return "\n".join(lines) + "\n"


def to_csv(table: Table, results: Results, seeds: Sequence[int]) -> str:
    """Write a line for each number of a table.

    Args:
        table: The table.
        results: Where the accuracies come from.
        seeds: The seeds that count.

    Returns:
        CSV. ``values`` has the accuracy of each seed, or fold, with blanks between.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV)
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells):
            for measure in cell:
                statistic = results.statistic(measure, seeds)
                best = results.statistic(measure, seeds, best=True)
                writer.writerow(
                    [
                        *(table.name, " / ".join(row.words), column),
                        *(measure.benchmark, measure.name),
                        *(_full(statistic.mean), _full(statistic.deviation)),
                        *(len(statistic.values), statistic.planned),
                        " ".join(_full(value) for value in statistic.values),
                        _full(best.mean),
                        " ".join(_full(value) for value in best.values),
                        "" if measure.paper is None else measure.paper,
                    ]
                )
    return out.getvalue()


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _full(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _ours(cell: Cell, results: Results, seeds: Sequence[int]) -> str:
    shown = [
        _show(*(results.statistic(measure, seeds, best) for best in (False, True)))
        for measure in cell
    ]
    return " / ".join(shown) or NOTHING


def _show(statistic: Statistic, best: Statistic) -> str:
    if statistic.mean is None:
        return NOTHING
    text = f"{statistic.mean:.1f}"
    if statistic.deviation is not None:
        text += f" ± {statistic.deviation:.1f}"
    if best.mean is not None:
        text += f" [{best.mean:.1f}]"
    if len(statistic.values) < statistic.planned:
        text += f" ({len(statistic.values)} of {statistic.planned})"
    return text


def _papers(cell: Cell) -> str:
    values = [
        NOTHING if measure.paper is None else f"{measure.paper:.1f}" for measure in cell
    ]
    if not values or set(values) == {NOTHING}:
        return NOTHING
    return " / ".join(values)


def _notes(table: Table, seeds: Sequence[int], how: str) -> list[str]:
    names = [BENCHMARKS[name] for name in table.benchmarks]
    titles = "; ".join(benchmark.title for benchmark in names)
    over = f"seed{'s' if len(seeds) > 1 else ''} {_span(seeds)}"
    if any(measure.folds for measure in table.measures):
        over = f"the folds, {over}"
    lines = [
        f"Ours: {titles}; {how}; top-1 % of the last epoch, mean ± standard deviation "
        f'(n - 1) over {over}. "(1 of 5)": only so many have ended; "{NOTHING}": '
        "none. In brackets the best epoch, chosen on the test set itself, which is "
        "what the public code reports.",
    ]
    if all(measure.paper is None for measure in table.measures):
        return [*lines, *table.notes]
    if table.name in ("2", "3", "4"):
        other = any(benchmark.name != benchmark.paper for benchmark in names)
        where = "means of 5 runs, standard deviation about 0.1"
        if other:
            where += ", with another recipe than ours"
    else:
        there = BENCHMARKS[ABLATION_BENCHMARK].title
        here = table.benchmarks == [ABLATION_BENCHMARK]
        where = f"on {there}, joint stream"
        if not here:
            where += ", so not to be compared with ours number by number"
    lines.append(f"*Paper*: the paper's numbers, not ours; {where}.")
    return [*lines, *table.notes]


def _span(seeds: Sequence[int]) -> str:
    return f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"
