"""tools/reproduce.py: runs that are killed, fail or belong to others, and the table."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.experiments.conftest import project
from tests.experiments.fake_project import FakeProject
from tools.reproduce import main

__all__ = ["project"]

Printed = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
ROWS = ("plain", "synonym", "parts2", "parts4", "parts6")
PREFIX = "runs/nwucla/joint/ctrgcn-single_"


def record(fake: FakeProject, run: str) -> Any:
    return json.loads((fake.work_dir / run / "run.json").read_text("utf-8"))


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start(fake: FakeProject, *arguments: str) -> Any:
    """Runs the tool in a process of its own."""

    def call() -> None:
        # The test runner's handlers are not the tool's.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            main(fake.argv(*arguments), fake.root)
        except SystemExit as error:
            os._exit(int(error.code or 0))

    process = multiprocessing.get_context("fork").Process(target=call)
    process.start()
    return process


def starts(fake: FakeProject) -> list[tuple[str, int]]:
    return [(line["run"], line["start"]) for line in fake.lines() if "start" in line]


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that nobody waits for has ended too."""
    status = Path(f"/proc/{pid}/stat")
    return status.is_file() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_table_is_run_once(project: FakeProject, capsys: Printed) -> None:
    argv = project.argv("--seeds", "2", "--epochs", "2")
    assert main(argv, project.root) == 0
    # All rows with the first seed, then with the second.
    runs = [f"{PREFIX}{row}/seed{seed}" for seed in (0, 1) for row in ROWS]
    assert starts(project) == [(run, 1) for run in runs]
    out = capsys.readouterr().out
    # 50 % and 60 % right.
    assert "| Head, Hand, Hip, Leg | 55.0 ± 7.1 | 85.4 |" in out
    assert "2 of 20 epochs, with the schedule in proportion" in out
    assert "not to be compared" in out
    assert "10 of 10 runs have ended, 0 failed" in out
    written = (project.work_dir / "table_1a_nwucla.md").read_text("utf-8")
    assert written in out
    with (project.work_dir / "table_1a_nwucla.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [line["values"] for line in lines] == ["50.0000 60.0000"] * 5
    assert {(line["mean"], line["std"]) for line in lines} == {("55.0000", "7.0711")}
    assert [line["paper"] for line in lines] == ["84.6", "85.2", "85.3", "85.4", "85.4"]

    saved = record(project, runs[3])
    assert saved["result"]["samples"] == 10
    assert saved["config"]["model"]["text_branch"]["prompts"]["preset"] == "parts4"
    assert saved["versions"]["torch"]
    assert saved["minutes"] > 0
    # 200 samples twice in batches of 4.
    assert saved["iterations"] == 200
    (last,) = (project.work_dir / runs[3] / "train").glob("epoch_*.pth")
    assert last.name == "epoch_2.pth"

    before = project.journal.read_text()
    assert main(argv, project.root) == 0
    assert project.journal.read_text() == before
    assert written in capsys.readouterr().out
    # A part of it, and another table that needs some of the same runs.
    assert main(project.argv("--seeds", "1", "--epochs", "2"), project.root) == 0
    assert project.journal.read_text() == before
    argv = project.argv("--seeds", "1", "--epochs", "2", table="1b")
    assert main(argv, project.root) == 0
    assert [run for run, _ in starts(project)[10:]] == [
        f"{PREFIX}{row}/seed0" for row in ("label-name", "paragraph", "synonym+parts4")
    ]


def test_killed_and_resumed(
    project: FakeProject, monkeypatch: Patch, capsys: Printed
) -> None:
    options = ("--seeds", "1", "--epochs", "4")
    monkeypatch.setenv("FAKE_HANG", "parts2")
    process = start(project, *options)
    killed = f"{PREFIX}parts2/seed0"
    wait_for(lambda: {"run": killed, "epoch": 2} in project.lines())
    process.kill()
    process.join()
    # The training goes on alone, and keeps others out while it does.
    assert main(project.argv(*options), project.root) == 1
    assert "or a training that it has left, is at work" in capsys.readouterr().err
    pid = next(line["pid"] for line in project.lines() if line["run"] == killed)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_running(pid))
    monkeypatch.delenv("FAKE_HANG")
    assert main(project.argv(*options, "--dry-run"), project.root) == 0
    assert f"| {killed} | stopped at epoch 2 | 2 | 200 |" in capsys.readouterr().out
    table = (project.work_dir / "table_1a_nwucla.md").read_text("utf-8")
    assert "| Global | 50.0 | 85.2 |" in table
    assert "| Upper, Lower | - | 85.3 |" in table

    assert main(project.argv(*options), project.root) == 0
    rows = [(f"{PREFIX}{row}/seed0", 1) for row in ROWS]
    assert starts(project) == [*rows[:3], (killed, 3), *rows[3:]]
    assert len([line for line in project.lines() if line.get("epoch")]) == 5 * 4
    assert len([line for line in project.lines() if "test" in line]) == 5
    assert "| Upper, Lower | 50.0 | 85.3 |" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(
    project: FakeProject, monkeypatch: Patch, number: signal.Signals
) -> None:
    monkeypatch.setenv("FAKE_HANG", "synonym")
    options = ("--seeds", "1", "--epochs", "3")
    process = start(project, *options)
    run = f"{PREFIX}synonym/seed0"
    wait_for(lambda: {"run": run, "epoch": 2} in project.lines())
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == 128 + number
    (pid,) = [line["pid"] for line in project.lines() if line.get("start") == 1][1:]
    assert not is_running(pid)
    assert record(project, run)["minutes"] > 0
    monkeypatch.delenv("FAKE_HANG")
    assert main(project.argv(*options), project.root) == 0
    assert (run, 3) in starts(project)


def test_failed_run_is_reported_and_tried_again(
    project: FakeProject, monkeypatch: Patch, capsys: Printed
) -> None:
    monkeypatch.setenv("FAKE_FAIL", "parts2")
    argv = project.argv("--seeds", "1", "--epochs", "1")
    assert main(argv, project.root) == 1
    out = capsys.readouterr().out
    log = project.work_dir / f"{PREFIX}parts2/seed0/train.log"
    assert "4 of 5 runs have ended, 1 failed" in out
    assert f"ValueError: the loss is not finite (log: {log})" in out
    assert "| Upper, Lower | - | 85.3 |" in out
    assert "| Head, Hand, Hip, Leg | 50.0 | 85.4 |" in out
    # What is unfinished cannot go on with another number of processes.
    assert main([*argv, "--gpus", "2"], project.root) == 1
    error = capsys.readouterr().err
    assert "unfinished run with other settings, 1 in all: train_dataloader.b" in error
    monkeypatch.delenv("FAKE_FAIL")
    assert main(argv, project.root) == 0
    assert len(starts(project)) == 6


def test_foreign_folders(project: FakeProject, capsys: Printed) -> None:
    argv = project.argv("--seeds", "1", "--epochs", "1")
    assert main(argv, project.root) == 0
    before = project.journal.read_text()
    folder = project.work_dir / f"{PREFIX}plain/seed0"
    for options, message in (
        (["--epochs", "2"], "train_cfg.max_epochs is 1 there, 2 is asked for"),
        (
            ["--epochs", "1", "--cfg-options", "optim_wrapper.optimizer.lr=0.5"],
            "optim_wrapper.optimizer.lr is 0.1 there, 0.5 is asked for",
        ),
    ):
        assert main(project.argv("--seeds", "1", *options), project.root) == 1
        error = capsys.readouterr().err
        assert f"{folder}: a run with other settings, " in error
        assert message in error
    # More processes with the same batch in all are no other settings.
    assert main([*argv, "--gpus", "2"], project.root) == 0

    for content in ("{}", "no json", None):
        file = folder / "run.json"
        file.unlink() if content is None else file.write_text(content)
        assert main(argv, project.root) == 1
        assert f"Move the folder {folder} away" in capsys.readouterr().err
    assert project.journal.read_text() == before


def test_dry_run_writes_nothing(project: FakeProject, capsys: Printed) -> None:
    assert main(project.argv("--dry-run"), project.root) == 0
    out = capsys.readouterr().out
    # 5 rows and seeds, 20 epochs of 100 iterations.
    assert "25 runs, 25 of them to train: 500 epochs, 50,000 iterations" in out
    assert "no estimate of time" in out
    assert main(project.argv("--dry-run", table="lambda"), project.root) == 0
    assert "20 runs, 20 of them to train: 400 epochs, 32,000" in capsys.readouterr().out
    project.data.unlink()
    assert main(project.argv("--dry-run"), project.root) == 0
    assert "an unknown number of iterations" in capsys.readouterr().out
    assert not project.work_dir.exists()
    assert not project.journal.exists()


def test_four_streams(project: FakeProject, capsys: Printed) -> None:
    argv = project.argv("--seeds", "1", "--epochs", "1", table="2")
    assert main(argv, project.root) == 0
    out = capsys.readouterr().out
    assert "| CTR-GCN | 4 ensemble | 50.0 | 96.5 |" in out
    assert "| CTR-GCN with GAP | Joint/Joint-M | 50.0 / 50.0 | 94.0 / 93.5 |" in out
    assert "| CTR-GCN with GAP | 4 ensemble | 50.0 | 97.2 |" in out
    assert len(starts(project)) == 8
    scores = project.work_dir / "runs/nwucla/bone/ctrgcn_plain/seed0/scores.pkl"
    scores.unlink()
    assert main(argv, project.root) == 0
    out = capsys.readouterr().out
    assert "| CTR-GCN | 4 ensemble | - | 96.5 |" in out
    assert f"An ensemble is missing: {scores}" in out


def test_cross_validation(project: FakeProject, capsys: Printed) -> None:
    argv = project.argv("--epochs", "1", table="lambda")
    assert main(argv, project.root) == 0
    out = capsys.readouterr().out
    assert "5 folds of 200 samples (40, 40, 40, 40, 40; performers stay" in out
    assert "| 0.8 | 50.0 ± 0.0 | 85.5 |" in out
    runs = [run for run, _ in starts(project)]
    assert len(set(runs)) == len(runs) == 4 * 5
    last = [run.rpartition("/")[2] for run in runs[:5]]
    assert last == ["fold0_seed0"] * 4 + ["fold1_seed0"]
    saved = record(project, runs[4])
    # 160 samples of 200.
    assert saved["iterations"] == 80
    config, (folds,) = saved["config"], (project.work_dir / "folds").iterdir()
    assert config["model"]["text_branch"]["loss"]["loss_weight"] == 1.0
    for loader, part in (("train", "train"), ("val", "val"), ("test", "val")):
        dataset = config[f"{loader}_dataloader"]["dataset"]
        dataset = dataset.get("dataset", dataset)
        assert (dataset["ann_file"], dataset["split"]) == (str(folds), f"fold1_{part}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cfg-options", "model.text_branch=None"], "with and without GAP"),
        (["--cfg-options", "randomness.seed=3"], "randomness.seed=...: each run has"),
        (["--cfg-options", "train_cfg.max_epochs.x=1"], "max_epochs={'x': 1}"),
        (["--gpus", "3"], "the recipe's batch of 4 cannot be dealt evenly"),
        (["--ann-file", "none.pkl"], "none.pkl is not there"),
        (["--data", "nwucla-cpu", "--table", "2"], "ctrgcn_nwucla_cpu_joint-motion"),
        (["--data", "ntu60-xsub", "--table", "2"], "Table 2 is about nwucla"),
        (["--data", "ntu60-xsub", "--table", "1a"], "ctrgcn_ntu60.py"),
    ],
)
def test_settings_that_cannot_be_had(
    arguments: list[str], message: str, project: FakeProject, capsys: Printed
) -> None:
    assert main(project.argv(*arguments), project.root) == 1
    assert message in capsys.readouterr().err
    assert not project.journal.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0"], "--seeds"),
        (["--cfg-options", "nonsense"], "'nonsense' is not KEY=VALUE"),
        (["--launcher", "slurm"], "--partition"),
        (["--partition", "gpu"], "--launcher slurm"),
        (["--data", "nwucla", "nwucla-cpu"], "Table 1a is about one"),
        (["--table", "5"], "--table"),
        (["--runs-csv", "r.csv"], "for --table low-shot and board"),
        (["--table", "low-shot", "--shots", "0"], "--shots"),
        (["--epochs", "1", "--steps", "1"], "not allowed with"),
        (
            ["--table", "board", "--runs-csv", "r", "--loss", "paper", "public"],
            "losses apart",
        ),
    ],
)
def test_arguments(
    arguments: list[str], message: str, project: FakeProject, capsys: Printed
) -> None:
    with pytest.raises(SystemExit):
        main(project.argv(*arguments), project.root)
    assert message in capsys.readouterr().err
