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

from gap_mmaction.experiments import WorkDirLock
from tests.experiments.conftest import project
from tests.experiments.fake_project import FakeProject
from tools.reproduce import main

__all__ = ["project"]

ROWS = ("plain", "synonym", "parts2", "parts4", "parts6")
PREFIX = "runs/nwucla/joint/ctrgcn-single_"


def record(fake: FakeProject, run: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (fake.work_dir / run / "run.json").read_text("utf-8")
    )
    return content


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start(fake: FakeProject, *arguments: str) -> Any:
    """Run the tool in a process of its own."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_call, args=(fake.argv(*arguments), fake.root))
    process.start()
    return process


def _call(argv: list[str], root: Path) -> None:
    # The test runner's handlers are not the tool's.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os._exit(main(argv, root))


def starts(fake: FakeProject) -> list[tuple[str, int]]:
    return [(line["run"], line["start"]) for line in fake.lines() if "start" in line]


def test_table_is_run_once(
    project: FakeProject, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert {line["mean"] for line in lines} == {"55.0000"}
    assert {line["std"] for line in lines} == {"7.0711"}
    assert [line["paper"] for line in lines] == ["84.6", "85.2", "85.3", "85.4", "85.4"]

    saved = record(project, runs[3])
    assert (saved["state"], saved["seed"], saved["result"]["samples"]) == (
        *("ended", 0),
        10,
    )
    assert saved["config"]["model"]["text_branch"]["prompts"]["preset"] == "parts4"
    assert saved["versions"]["torch"]
    assert saved["minutes"] > 0
    # 200 samples twice in batches of 4.
    assert saved["iterations"] == 200

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
    project: FakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--seeds", "1", "--epochs", "4")
    monkeypatch.setenv("FAKE_HANG", "parts2")
    process = start(project, *options)
    killed = f"{PREFIX}parts2/seed0"
    wait_for(lambda: {"run": killed, "epoch": 2} in project.lines())
    process.kill()
    process.join()
    assert record(project, killed)["state"] == "running"
    # Training is not left to go on alone: with it the lock goes.
    with WorkDirLock(project.work_dir, patience=60):
        pass
    # The last checkpoint has a wrong byte; tools/train.py passes over it, too.
    whole = (project.root / "tools" / "epoch_3.pth").read_bytes()
    damaged = project.work_dir / killed / "train" / "epoch_3.pth"
    damaged.write_bytes(whole.replace(b"iter", b"ites", 1))
    (damaged.parent / "last_checkpoint").write_text(str(damaged))
    monkeypatch.delenv("FAKE_HANG")
    capsys.readouterr()
    assert main(project.argv(*options, "--dry-run"), project.root) == 0
    assert f"| {killed} | killed at epoch 2 | 2 | 200 |" in capsys.readouterr().out
    table = (project.work_dir / "table_1a_nwucla.md").read_text("utf-8")
    assert "| Global | 50.0 | 85.2 |" in table
    assert "| Upper, Lower | - | 85.3 |" in table

    assert main(project.argv(*options), project.root) == 0
    rows = [(f"{PREFIX}{row}/seed0", 1) for row in ROWS]
    assert starts(project) == [*rows[:3], (killed, 3), *rows[3:]]
    epochs = [line["epoch"] for line in project.lines() if line.get("epoch")]
    assert len(epochs) == 5 * 4
    assert len([line for line in project.lines() if "test" in line]) == 5
    assert "| Upper, Lower | 50.0 | 85.3 |" in capsys.readouterr().out
    (last,) = (project.work_dir / killed / "train").glob("epoch_*.pth")
    assert last.name == "epoch_4.pth"


def test_interrupted(project: FakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_HANG", "synonym")
    options = ("--seeds", "1", "--epochs", "3")
    process = start(project, *options)
    run = f"{PREFIX}synonym/seed0"
    wait_for(lambda: {"run": run, "epoch": 2} in project.lines())
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 128 + signal.SIGINT
    assert record(project, run)["state"] == "interrupted"
    (pid,) = [line["pid"] for line in project.lines() if line.get("start") == 1][1:]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    monkeypatch.delenv("FAKE_HANG")
    assert main(project.argv(*options), project.root) == 0
    assert (run, 3) in starts(project)


def test_failed_run_is_reported_and_tried_again(
    project: FakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FAKE_FAIL", "parts2")
    argv = project.argv("--seeds", "1", "--epochs", "1")
    assert main(argv, project.root) == 1
    out = capsys.readouterr().out
    log = project.work_dir / f"{PREFIX}parts2/seed0/train.log"
    assert "4 of 5 runs have ended, 1 failed" in out
    assert f"ValueError: the loss is not finite\n    log: {log}" in out
    assert "the loss is not finite" in log.read_text()
    assert "| Upper, Lower | - | 85.3 |" in out
    assert "| Head, Hand, Hip, Leg | 50.0 | 85.4 |" in out
    assert record(project, f"{PREFIX}parts2/seed0")["state"] == "failed"
    monkeypatch.delenv("FAKE_FAIL")
    assert main(argv, project.root) == 0
    assert len(starts(project)) == 6


def test_foreign_folders(
    project: FakeProject, capsys: pytest.CaptureFixture[str]
) -> None:
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
        assert f"{folder}: a run with other settings: " in error
        assert message in error
        assert "Give another --work-dir" in error
    # More processes with the same batch in all are no other settings.
    assert main([*argv, "--gpus", "2"], project.root) == 0

    for content in ("{}", "no json"):
        (folder / "run.json").write_text(content)
        assert main(argv, project.root) == 1
        assert f"Move the folder {folder} away" in capsys.readouterr().err
    (folder / "run.json").unlink()
    assert main(argv, project.root) == 1
    assert f"{folder}: has files but no run.json" in capsys.readouterr().err
    assert project.journal.read_text() == before


def test_unfinished_run_of_other_settings(
    project: FakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FAKE_FAIL", "plain")
    argv = project.argv("--seeds", "1", "--epochs", "1")
    assert main(argv, project.root) == 1
    capsys.readouterr()
    assert main([*argv, "--gpus", "2"], project.root) == 1
    error = capsys.readouterr().err
    assert "an unfinished run with other settings: --gpus is 1 there, 2 is" in error


def test_dry_run_writes_nothing(
    project: FakeProject, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(project.argv("--dry-run"), project.root) == 0
    out = capsys.readouterr().out
    # 5 rows and seeds, 20 epochs of 100 iterations.
    assert "25 runs, 25 of them to train: 500 epochs, 50,000 iterations" in out
    assert "no estimate of time" in out
    project.data.unlink()
    assert main(project.argv("--dry-run"), project.root) == 0
    assert "an unknown number of iterations" in capsys.readouterr().out
    assert not project.work_dir.exists()
    assert not project.journal.exists()


def test_four_streams(project: FakeProject, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_cross_validation(
    project: FakeProject, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = project.argv("--epochs", "1", table="lambda")
    assert main(argv, project.root) == 0
    out = capsys.readouterr().out
    assert "5 folds of 200 samples (40, 40, 40, 40, 40; performers stay" in out
    assert "| 0.8 | 50.0 ± 0.0 | 85.5 |" in out
    runs = [run for run, _ in starts(project)]
    assert len(set(runs)) == len(runs) == 4 * 5
    assert [run.split("/")[-1] for run in runs[:5]] == ["fold0_seed0"] * 4 + [
        "fold1_seed0"
    ]
    config = record(project, runs[4])["config"]
    (folds,) = (project.work_dir / "folds").iterdir()
    dataset = config["train_dataloader"]["dataset"]["dataset"]
    assert (dataset["ann_file"], dataset["split"]) == (str(folds), "fold1_train")
    for loader in ("val_dataloader", "test_dataloader"):
        dataset = config[loader]["dataset"]
        assert (dataset["ann_file"], dataset["split"]) == (str(folds), "fold1_val")
    assert config["model"]["text_branch"]["loss"]["loss_weight"] == 1.0
    # 160 samples of 200.
    assert record(project, runs[4])["iterations"] == 80
    before = project.journal.read_text()
    assert main(argv, project.root) == 0
    assert project.journal.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cfg-options", "model.text_branch=None"], "with and without GAP"),
        (["--cfg-options", "randomness.seed=3"], "each run has its own"),
        (["--cfg-options", "nonsense"], "not of the form KEY=VALUE"),
        (["--cfg-options", "train_cfg.max_epochs.x=1"], "does not fit the config"),
        (["--gpus", "3"], "the recipe's batch of 4 cannot be dealt evenly"),
        (["--ann-file", "none.pkl"], "none.pkl is not there"),
        (["--data", "nwucla-cpu", "--table", "2"], "ctrgcn_nwucla_cpu_joint-motion"),
        (["--data", "ntu60-xsub", "--table", "2"], "Table 2 is about nwucla"),
        (["--data", "ntu60-xsub", "--table", "1a"], "ctrgcn_ntu60.py"),
    ],
)
def test_settings_that_cannot_be_had(
    arguments: list[str],
    message: str,
    project: FakeProject,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(project.argv(*arguments), project.root) == 1
    assert message in capsys.readouterr().err
    assert not project.journal.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seeds", "0"],
        ["--epochs", "0"],
        ["--launcher", "slurm"],
        ["--partition", "gpu"],
        ["--data", "nwucla", "nwucla-cpu"],
        ["--table", "5"],
    ],
)
def test_arguments(arguments: list[str], project: FakeProject) -> None:
    with pytest.raises(SystemExit):
        main(project.argv(*arguments), project.root)
