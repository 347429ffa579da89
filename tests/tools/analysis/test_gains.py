"""tools/analysis/gains.py: made-up runs against numbers by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from gap_mmaction.evaluation.finished_runs import FinishedRun, add_runs, read_runs
from gap_mmaction.evaluation.gains import MEAN, accuracies, gains_of
from gap_mmaction.visualization.run_figures import draw_gains
from tools.analysis.gains import main

PLAIN = (68.5, 69.8, 68.5)
GAP = (73.3, 73.3, 75.0)


def run(
    arm: str, seed: int, top1: float, shots: str = "10", fold: str = "xview"
) -> FinishedRun:
    names = ("nwucla-cpu", "low-shot", "ctrgcn", arm)
    return FinishedRun(*names, shots, seed, fold, 20, top1, "c")


@pytest.fixture
def runs() -> list[FinishedRun]:
    arms = (("plain", PLAIN), ("gap", GAP))
    return [run(arm, i, x) for arm, values in arms for i, x in enumerate(values)]


def test_numbers_by_hand(runs: list[FinishedRun]) -> None:
    # A seed of one arm alone does not count.
    ((_, gain),) = gains_of(accuracies([*runs, run("gap", 3, 10.0)])).items()
    assert gain.values == pytest.approx((4.8, 3.5, 6.5))
    assert gain.mean == pytest.approx(4.9333, abs=1e-4)
    assert gain.interval == pytest.approx((1.196, 8.670), abs=2e-3)
    assert gain.p == pytest.approx(0.0296, abs=1e-4)


def test_mean_of_sets_has_welchs_interval(runs: list[FinishedRun]) -> None:
    other = [one._replace(set="utd_mhad-cpu") for one in runs]
    other += [run("gap", 3, 70.0)._replace(set="utd_mhad-cpu")]
    other += [run("plain", 3, 71.0)._replace(set="utd_mhad-cpu")]
    gains = gains_of(accuracies([*runs, *other]))
    (_, first), (_, second), (key, gain) = gains.items()
    assert key == ((MEAN, "ctrgcn", "10"), "gap - plain")
    # The sum of two means is the difference of one and the other with its sign turned.
    test = stats.ttest_ind(first.values, np.negative(second.values), equal_var=False)
    assert gain.values == (first.mean, second.mean)
    assert gain.p == pytest.approx(test.pvalue)
    half = np.divide(test.confidence_interval(0.95), 2)
    assert gain.interval == pytest.approx(half)


def test_parts_of_training_have_a_mean_of_their_own(runs: list[FinishedRun]) -> None:
    runs += [one._replace(set="utd_mhad-cpu") for one in runs]
    parts = [one._replace(fold="xview_dev", top1=one.top1 - 2) for one in runs]
    gains, both = (gains_of(accuracies(some)) for some in (runs, [*runs, *parts]))
    key = ((MEAN, "ctrgcn", "10"), "gap - plain")
    assert both[key] == gains[key]
    assert both[(f"{MEAN} dev", *key[0][1:]), key[1]].values == gains[key].values


def test_folds_are_averaged_first() -> None:
    folds = [
        run(arm, 0, top1 + i, fold=f"fold{i}")
        for arm, top1 in (("plain", 50.0), ("gap", 60.0))
        for i in (1, 2)
    ]
    (gain,) = gains_of(accuracies(folds)).values()
    assert gain.values == (10.0,) and gain.interval is None and gain.p is None
    # A seed with half of its folds waits for the others.
    assert gains_of(accuracies(folds[:3])) == {}
    assert gains_of(accuracies(folds, {"nwucla-cpu": 3})) == {}
    with pytest.raises(ValueError, match=r"plain, seed 0, fold1: .* 20 and of 30"):
        accuracies([*folds, folds[0]._replace(epochs=30)])


def test_bars_of_two_seeds_leave_room_for_the_others(runs: list[FinishedRun]) -> None:
    two = [one._replace(set="jhmdb14-cpu") for one in runs if one.seed < 2]
    two[2] = two[2]._replace(top1=80.0)
    found = accuracies([*runs, *two])
    wide, gain, _ = gains_of(found).values()
    assert wide.interval and gain.interval and np.ptp(wide.interval) > 90
    low, high = draw_gains(found).axes[0].get_xlim()
    assert low <= 0 < max(gain.interval[1], wide.mean) < high < 20


def test_table_and_figures(
    runs: list[FinishedRun], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.csv"
    add_runs(path, runs[:2])
    add_runs(path, [*runs, run("gap", 0, 75.0, shots="all"), run("plain", 0, 75.0)])
    assert read_runs(path)[:6] == runs
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    assert "| ctrgcn | 10 | 68.9 ± 0.8 (3) | 73.9 ± 1.0 (3) | +4.9 (+1.2 to" in out
    assert "| 10 | gap - plain | +4.93 | +1.2 to +8.7 |" in out
    assert (tmp_path / "gains.md").read_text("utf-8") in out
    for name in ("accuracies", "gains"):
        assert (tmp_path / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    with path.open("a") as stream:
        stream.write("nwucla-cpu,low-shot,ctrgcn,gap,10,0,xview,20,101,c\n")
    assert main([str(path)]) == 1
    assert f"{path}, line 9: not a run" in capsys.readouterr().err
