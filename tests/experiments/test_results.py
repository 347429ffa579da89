"""Means, deviations and ensembles, how a table shows them, and estimates of time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from gap_mmaction.evaluation.score_file import write_scores
from gap_mmaction.experiments.experiment import plan_text
from gap_mmaction.experiments.runs import Run, RunConfig
from gap_mmaction.experiments.table_text import SCORES, Results, to_csv, to_markdown
from gap_mmaction.experiments.tables import Measure, Row, RunSpec, Table
from gap_mmaction.experiments.variants import Variant

GAP, PLAIN = Variant("ctrgcn"), Variant("ctrgcn", "plain")
WEIGHTS = {"joint": 0.8, "bone": 0.8, "joint-motion": 0.2, "bone-motion": 0.2}


def test_mean_and_deviation(tmp_path: Path) -> None:
    measure, other = Measure("nwucla", GAP, paper=94.0), Measure("nwucla", PLAIN)
    results = Results(tmp_path)
    for (spec,), top1 in zip(measure.replicates(range(3)), (90.0, 92.0, 93.0)):
        results.found[spec] = {"top1": top1, "best_top1": top1 + 1}
    rows = (Row(("A",), ((measure, other), ())),)
    table = Table("1x", "A title", ("Model",), ("X", "Y"), rows)
    text = to_markdown(table, results, range(5), "40 epochs")
    assert "| A | 91.7 ± 1.5 [92.7] (3 of 5) / - | 94.0 / - | - | - |" in text
    line = to_csv(table, results, range(5)).splitlines()[1]
    assert line.endswith(
        "ctrgcn_synonym+parts4 joint,91.6667,1.5275,3,5,90.0000 92.0000 93.0000,"
        "92.6667,91.0000 93.0000 94.0000,94.0"
    )


def test_ensemble(tmp_path: Path) -> None:
    measure = Measure("nwucla", GAP, tuple(WEIGHTS))
    labels = np.arange(40) % 4
    rng, results = np.random.default_rng(0), Results(tmp_path)
    fused = np.zeros((40, 4))
    ((*specs,),) = measure.replicates([0])
    for spec in specs:
        assert results.values(measure, [0]) == []  # it waits for all streams
        raw = rng.normal(size=(40, 4)) + 2 * np.eye(4)[labels]
        fused += WEIGHTS[spec.stream] * raw
        probabilities = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        write_scores(tmp_path / spec.name / SCORES, probabilities, labels)
        results.found[spec] = {"top1": 50.0}
    expected = 100 * float((fused.argmax(axis=1) == labels).mean())
    assert expected != 100 * float((raw.argmax(axis=1) == labels).mean())
    assert results.values(measure, range(2)) == pytest.approx([expected])
    assert results.values(measure, [0], best=True) == []
    # Scores of other samples are no ensemble.
    write_scores(tmp_path / specs[1].name / SCORES, raw[:9], labels[:9])
    anew = Results(tmp_path)
    anew.found = results.found
    assert anew.values(measure, [0]) == []
    assert "9 samples and 40" in next(iter(anew.problems.values()))


def test_estimate_of_time(tmp_path: Path) -> None:
    loader = {"train_dataloader": {"batch_size": 4}}
    settings = Config({"train_cfg": {"max_epochs": 20}, **loader})
    ended, begun = (RunSpec("nwucla", "joint", GAP, seed) for seed in range(2))
    plain = RunSpec("nwucla", "joint", PLAIN, 0)
    stgcn = RunSpec("nwucla", "joint", Variant("stgcn"), 0)
    other = RunSpec("ntu60-xsub", "joint", GAP, 0)
    config = RunConfig(settings, 200, Path())
    specs = (ended, begun, plain, stgcn, other)
    runs = {spec: Run(tmp_path, spec.name, spec.seed, config) for spec in specs}
    runs[ended].record.update(minutes=100.0, result={"top1": 90.0})
    runs[plain].record.update(minutes=60.0, result={"top1": 90.0})
    folder = runs[begun].path / "train"
    folder.mkdir(parents=True)
    (folder / "last_checkpoint").write_text("a/epoch_10.pth")
    text = plan_text(runs)
    assert f"| {begun.name} | stopped at epoch 10 | 10 | 100 | 50 |" in text
    assert f"| {stgcn.name} | to run | 20 | 200 | 80 |" in text
    assert f"| {other.name} | to run | 20 | 200 | ? |" in text
    assert "about 2.2 hours by the runs that have ended, without 1 run" in text
