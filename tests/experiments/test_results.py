"""Means, deviations and ensembles, and how a table shows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gap_mmaction.evaluation.score_file import write_scores
from gap_mmaction.experiments import Measure, Row, RunFolder, RunRecord, Table, Variant
from gap_mmaction.experiments.plan import PlannedRun, minutes_per_iteration, plan_text
from gap_mmaction.experiments.results import Results
from gap_mmaction.experiments.run_config import RunConfig
from gap_mmaction.experiments.run_spec import RunSpec
from gap_mmaction.experiments.table_text import to_csv, to_markdown

GAP, PLAIN = Variant("ctrgcn"), Variant("ctrgcn", "plain")
STREAMS = ("joint", "bone", "joint-motion", "bone-motion")


def make_record(spec: RunSpec, top1: float | None, minutes: float = 10.0) -> RunRecord:
    return RunRecord(
        name=str(spec),
        base="config.py",
        config={},
        cfg_options=[],
        seed=spec.seed,
        processes=1,
        total_batch=4,
        iterations=100,
        data={},
        state="failed" if top1 is None else "ended",
        minutes=minutes,
        result=None if top1 is None else {"top1": top1, "best_top1": top1 + 1},
    )


def write_record(work_dir: Path, spec: RunSpec, top1: float | None) -> None:
    make_record(spec, top1).write(RunFolder(work_dir, spec).record_file)


def test_mean_and_deviation(tmp_path: Path) -> None:
    measure = Measure("nwucla", GAP, paper=94.0)
    values = [90.0, 92.0, 93.0, None]
    for (spec,), value in zip(measure.replicates(range(4)), values):
        write_record(tmp_path, spec, value)
    statistic = Results(tmp_path).statistic(measure, range(5))
    assert statistic.values == (90.0, 92.0, 93.0)
    assert statistic.planned == 5
    assert statistic.mean == pytest.approx(91.6667, abs=1e-4)
    assert statistic.deviation == pytest.approx(1.5275, abs=1e-4)

    table = Table(
        "1x", "A title", ("Model",), ("Acc (%)",), (Row(("A",), ((measure,),)),)
    )
    text = to_markdown(table, Results(tmp_path), range(5), "40 epochs")
    head = "| Model | Acc (%), last epoch [best epoch] | Acc (%), *paper* |"
    assert head in text
    assert "| A | 91.7 ± 1.5 [92.7] (3 of 5) | 94.0 |" in text
    text = to_markdown(table, Results(tmp_path), range(1), "40 epochs")
    assert "| A | 90.0 [91.0] | 94.0 |" in text
    line = to_csv(table, Results(tmp_path), range(5)).splitlines()[1]
    assert line.endswith(
        "ctrgcn_synonym+parts4 joint,91.6667,1.5275,3,5,90.0000 92.0000 93.0000,"
        "92.6667,91.0000 93.0000 94.0000,94.0"
    )


def test_two_numbers_in_a_cell(tmp_path: Path) -> None:
    first, second = Measure("nwucla", GAP, paper=85.2), Measure("nwucla", PLAIN)
    ((spec,),) = first.replicates([0])
    write_record(tmp_path, spec, 90.0)
    rows = (Row(("A",), ((first, second), ())),)
    table = Table("1x", "A title", ("Model",), ("X", "Y"), rows)
    text = to_markdown(table, Results(tmp_path), [0], "")
    assert "| A | 90.0 [91.0] / - | 85.2 / - | - | - |" in text


def test_ensemble(tmp_path: Path) -> None:
    measure = Measure("nwucla", GAP, STREAMS)
    labels = np.arange(40) % 4
    rng = np.random.default_rng(0)
    raw = {}
    ((*specs,),) = measure.replicates([0])
    for spec in specs:
        scores = rng.normal(size=(40, 4)) + 2 * np.eye(4)[labels]
        raw[spec.stream] = scores
        probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        write_scores(RunFolder(tmp_path, spec).scores, probabilities, labels)
        write_record(tmp_path, spec, 50.0)
    fused = sum(
        weight * raw[stream] for weight, stream in zip((0.8, 0.8, 0.2, 0.2), STREAMS)
    )
    expected = 100 * float((np.argmax(fused, axis=1) == labels).mean())
    alone = 100 * float((raw["joint-motion"].argmax(axis=1) == labels).mean())
    assert expected != alone
    results = Results(tmp_path)
    assert results.statistic(measure, [0]).mean == pytest.approx(expected)
    assert results.statistic(measure, range(2)).planned == 2

    # Scores of other samples are no ensemble, and said to be none.
    write_scores(RunFolder(tmp_path, specs[1]).scores, raw["bone"][:9], labels[:9])
    results = Results(tmp_path)
    assert results.statistic(measure, [0]).values == ()
    (problem,) = results.problems.values()
    assert "9 samples and 40" in problem


def test_ensemble_waits_for_all_streams(tmp_path: Path) -> None:
    measure = Measure("nwucla", GAP, STREAMS)
    ((*specs,),) = measure.replicates([0])
    for spec in specs[:3]:
        write_record(tmp_path, spec, 50.0)
    results = Results(tmp_path)
    assert results.statistic(measure, [0]).mean is None
    assert not results.problems


def planned(spec: RunSpec, record: RunRecord | None, done: int = 0) -> PlannedRun:
    config = RunConfig(Path("c.py"), "", {}, (), 20, 200, Path("d.pkl"), 1)
    return PlannedRun(spec, config, record, done)


def test_estimate_of_time() -> None:
    gap, plain = (
        [spec for (spec,) in Measure("nwucla", v).replicates(range(3))]
        for v in (GAP, PLAIN)
    )
    other = RunSpec("ntu60-xsub", "joint", GAP, 0)
    runs = [
        planned(gap[0], make_record(gap[0], 90.0, minutes=50.0)),
        planned(plain[0], make_record(plain[0], 90.0, minutes=30.0)),
        # Half of it is done.
        planned(gap[1], make_record(gap[1], None), done=10),
        planned(gap[2], None),
        planned(RunSpec("nwucla", "joint", Variant("stgcn"), 0), None),
        planned(other, None),
    ]
    records = {run.spec: run.record for run in runs if run.record is not None}
    speed = minutes_per_iteration(runs, records)
    assert speed[gap[2]] == pytest.approx(0.5)
    assert speed[runs[4].spec] == pytest.approx(0.4)
    assert other not in speed
    text = plan_text(runs)
    assert f"| {gap[0]} | ended | 0 | 0 | 0 |" in text
    assert f"| {gap[1]} | failed at epoch 10 | 10 | 100 | 50 |" in text
    assert f"| {gap[2]} | to run | 20 | 200 | 100 |" in text
    assert f"| {other} | to run | 20 | 200 | ? |" in text
    assert "6 runs, 4 of them to train: 70 epochs, 700 iterations" in text
    assert "about 3.8 hours by the runs that have ended, without 1 run" in text
