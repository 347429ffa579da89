"""tools/reproduce.py: runs that are killed, fail or belong to others, and the table."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gap_mmaction.evaluation.finished_runs import read_runs
from gap_mmaction.experiments.launcher import Launcher, RunFailedError
from tests.experiments.fake_project import FakeProject, write_annotations
from tests.processes import ROOT, is_running, wait_for
from tools.reproduce import main

Printed = pytest.CaptureFixture[str]
ROWS = ("plain", "synonym", "parts2", "parts4", "parts6")
PREFIX = "runs/nwucla/joint/ctrgcn-single_"


@pytest.fixture()
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProject:
    fake = FakeProject(tmp_path / "project")
    monkeypatch.setenv("FAKE_JOURNAL", str(fake.journal))
    return fake


def record(fake: FakeProject, run: str) -> Any:
    return json.loads((fake.work_dir / run / "run.json").read_text("utf-8"))


@contextmanager
def hanging(fake: FakeProject, row: str, *arguments: str) -> Iterator[tuple[Any, int]]:
    """Runs the tool in a process until a training hangs after 2 epochs; yields both."""

    def call() -> None:
        try:
            fake.run(*arguments)
        except SystemExit as error:
            os._exit(int(error.code or 0))

    run = f"{PREFIX}{row}/seed0"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_HANG", row)
        process = multiprocessing.get_context("fork").Process(target=call)
        process.start()
        wait_for(lambda: {"run": run, "epoch": 2} in fake.lines())
        yield process, next(x["pid"] for x in fake.lines() if x["run"] == run)


def test_table_is_run_once(project: FakeProject, capsys: Printed) -> None:
    options = ("--seeds", "2", "--epochs", "2")
    assert project.run(*options) == 0
    # All rows with the first seed, then with the second.
    runs = [f"{PREFIX}{row}/seed{seed}" for seed in (0, 1) for row in ROWS]
    assert project.starts() == [(run, 1) for run in runs]
    # 50 % and 60 % right.
    written = (project.work_dir / "table_1a_nwucla.md").read_text("utf-8")
    assert "| Head, Hand, Hip, Leg | 55.0 ± 7.1 | 85.4 |" in written
    assert written in capsys.readouterr().out
    assert (project.work_dir / "table_1a_nwucla.csv").is_file()
    saved = record(project, runs[3])
    assert saved["result"]["samples"] == 10
    assert saved["config"]["model"]["text_branch"]["prompts"]["preset"] == "parts4"
    # 200 samples twice in batches of 4.
    assert saved["iterations"] == 200
    (last,) = (project.work_dir / runs[3] / "train").glob("epoch_*.pth")
    assert last.name == "epoch_2.pth"

    before = project.journal.read_text()
    assert project.run(*options) == 0
    assert project.journal.read_text() == before
    assert written in capsys.readouterr().out


def test_killed_and_resumed(project: FakeProject, capsys: Printed) -> None:
    options = ("--seeds", "1", "--epochs", "4")
    killed = f"{PREFIX}parts2/seed0"
    with hanging(project, "parts2", *options) as (process, pid):
        process.kill()
        process.join()
        # The training goes on alone, and keeps others out while it does.
        assert project.run(*options) == 1
        assert "or a training that it has left, is at work" in capsys.readouterr().err
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_running(pid))
    assert project.run(*options) == 0
    rows = [(f"{PREFIX}{row}/seed0", 1) for row in ROWS]
    assert project.starts() == [*rows[:3], (killed, 3), *rows[3:]]
    assert len([line for line in project.lines() if "epoch" in line]) == 5 * 4


def test_interrupted(project: FakeProject) -> None:
    options = ("--seeds", "1", "--epochs", "3")
    with hanging(project, "synonym", *options) as (process, pid):
        process.terminate()
        process.join()
    assert process.exitcode == 128 + signal.SIGTERM
    assert not is_running(pid)
    assert record(project, f"{PREFIX}synonym/seed0")["minutes"] > 0


def test_failed_runs_and_foreign_folders(
    project: FakeProject, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setenv("FAKE_FAIL", "parts2")
    options = ("--seeds", "1", "--epochs", "1")
    assert project.run(*options) == 1
    log = project.work_dir / f"{PREFIX}parts2/seed0/train.log"
    told = f"ValueError: the loss is not finite (log: {log})"
    assert told in capsys.readouterr().out
    # What is unfinished cannot go on with another number of processes.
    assert project.run(*options, "--gpus", "2") == 1
    assert "unfinished run with other settings, 1 in all" in capsys.readouterr().err
    monkeypatch.delenv("FAKE_FAIL")
    assert project.run(*options) == 0
    assert len(project.starts()) == 6

    # A run that has ended with other settings, and records that cannot be read.
    before, folder = project.journal.read_text(), log.parent
    rate = ("--cfg-options", "optim_wrapper.optimizer.lr=0.5")
    assert project.run(*options, *rate) == 1
    assert "optimizer.lr is 0.1 there, 0.5 is asked for" in capsys.readouterr().err
    # More processes with the same batch in all are no other settings.
    assert project.run(*options, "--gpus", "2") == 0
    for content in ("{}", "[]", "no json", None):
        file = folder / "run.json"
        file.unlink() if content is None else file.write_text(content)
        assert project.run(*options) == 1
        assert f"Move the folder {folder} away" in capsys.readouterr().err
    assert project.journal.read_text() == before


def test_other_texts(project: FakeProject, tmp_path: Path, capsys: Printed) -> None:
    texts = tmp_path / "texts.yaml"
    settings = f"model.text_branch.prompts.descriptions={texts}"
    options = ("--seeds", "1", "--epochs", "1", "--cfg-options", settings)
    for content in ("one", "two"):
        texts.write_text(content)
        assert project.run(*options) == (content == "two")
    assert "other settings, 1 in all: sha256.prompts.desc" in capsys.readouterr().err


def test_dry_run_writes_nothing(project: FakeProject, capsys: Printed) -> None:
    # 5 rows and seeds, or 4 rows and 5 folds; 20 epochs of 100 or 80 iterations.
    for table, cost in (("1a", "500 epochs, 50,000"), ("lambda", "400 epochs, 32,000")):
        assert project.run("--dry-run", table=table) == 0
        assert cost in capsys.readouterr().out
    project.data.unlink()
    assert project.run("--dry-run") == 0
    assert "an unknown number of iterations" in capsys.readouterr().out
    assert not project.work_dir.exists()
    assert not project.journal.exists()


def test_cross_validation(project: FakeProject, capsys: Printed) -> None:
    assert project.run("--epochs", "1", table="lambda") == 0
    assert "| 0.8 | 50.0 ± 0.0 | 85.5 |" in capsys.readouterr().out
    runs = [run for run, _ in project.starts()]
    assert len(set(runs)) == len(runs) == 4 * 5
    saved = record(project, runs[4])
    # 160 samples of 200.
    assert saved["iterations"] == 80
    config, (folds,) = saved["config"], (project.work_dir / "folds").iterdir()
    assert config["model"]["text_branch"]["loss"]["loss_weight"] == 1.0
    data = config["train_dataloader"]["dataset"]["dataset"]
    assert (data["ann_file"], data["split"]) == (str(folds), "fold1_train")
    assert config["test_dataloader"]["dataset"]["split"] == "fold1_val"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cfg-options", "model.text_branch=None"], "with and without GAP"),
        (["--cfg-options", "randomness.seed=3"], "randomness.seed=...: each run has"),
        (["--gpus", "3"], "the recipe's batch of 4 cannot be dealt evenly"),
        (["--ann-file", "none.pkl"], "none.pkl is not there"),
        (["--data", "ntu60-xsub", "--table", "2"], "Table 2 is about nwucla"),
        (["--launcher", "slurm"], "--partition"),
        (["--data", "nwucla", "nwucla-cpu"], "Table 1a is about one"),
        (["--runs-csv", "r.csv"], "--runs-csv: for --table low-shot, board, streams"),
        (["--split-pair", "fit", "dev"], "--split-pair: for --table low-shot, board"),
        (["--backbones", "stgcn"], "--backbones: for --table board"),
    ],
)
def test_settings_that_cannot_be_had(
    arguments: list[str], message: str, project: FakeProject, capsys: Printed
) -> None:
    try:
        assert project.run(*arguments) == 1
    except SystemExit as error:
        assert error.code == 2
    assert message in capsys.readouterr().err
    assert not project.journal.exists()


def test_lines_of_runs(project: FakeProject, tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "new" / "runs.csv"
    options = (
        *("--seeds", "2", "--steps", "100", "--runs-csv", str(out)),
        *("--cfg-options", "model.backbone.base_channels=8"),
    )
    assert project.run("--shots", "5", "20", *options, table="low-shot") == 0
    # The largest class has 20.
    row = "| NW-UCLA | all | 55.0 ± 7.1 | 55.0 ± 7.1 | 55.0 ± 7.1 |"
    assert row in capsys.readouterr().out
    runs = read_runs(out)
    assert len(runs) == 12
    arm = ("nwucla", "low-shot", "ctrgcn@8", "plain", "5")
    assert runs[0][:9] == (*arm, 0, "xview", 1, 50.0)

    # On another machine what has a line is done.
    before, lines = project.journal.read_text(), out.read_text()
    project.work_dir = tmp_path / "other"
    assert project.run("--shots", "5", "all", *options, table="low-shot") == 0
    assert row in capsys.readouterr().out
    assert project.journal.read_text() == before
    assert out.read_text() == lines

    # The joint stream has lines, and no scores here that could be fused.
    assert project.run(*options, table="streams") == 0
    text = capsys.readouterr().out
    assert "| NW-UCLA | Bone | 55.0 ± 7.1 | 55.0 ± 7.1 |" in text
    assert "| NW-UCLA | 4 ensemble | - | - |" in text
    assert "An ensemble is missing" in text
    nets = Counter(run.backbone for run in read_runs(out)[12:])
    streams = ("bone", "bone-motion", "joint-motion")
    assert nets == {f"ctrgcn@8 {stream}": 2 * 2 for stream in streams}

    with pytest.raises(SystemExit):
        project.run("--shots", "5", "--loss", "public", *options, table="low-shot")
    assert "lines are of the paper's form" in capsys.readouterr().err


def test_commands() -> None:
    for settings, tool, command in (
        ((), "train", [sys.executable, "/t/train.py", "c.py"]),
        ((8,), "train", ["bash", "/t/dist_train.sh", "c.py", "8"]),
        ((8,), "test", [sys.executable, "/t/test.py", "c.py"]),
        ((8, "gpu", "j"), "train", ["bash", "/t/slurm_train.sh", "gpu", "j", "c.py"]),
    ):
        launcher = Launcher(Path("/t"), *settings)
        assert launcher.command(tool, "c.py", "--w", "w") == [*command, "--w", "w"]


def test_failures_and_environment(tmp_path: Path) -> None:
    for code, message in (
        ("import os; os.kill(os.getpid(), 9)", "exit status -9: no output"),
        ("print('slurmstepd: killed'); exit(1)", "exit status 1: slurmstepd: killed"),
    ):
        (tmp_path / "train.py").write_text(code)
        with pytest.raises(RunFailedError, match=message):
            Launcher(tmp_path).call(tmp_path / "train.log", "train")

    (tmp_path / "dist_train.sh").write_text("echo $PYTHONPATH $PYTHON $GPUS")
    log = tmp_path / "log"
    Launcher(tmp_path, 4).call(log, "train", "c.py")
    line = log.read_text()
    assert line.startswith(str(ROOT)) and line.endswith(f"{sys.executable} 4\n")


@pytest.mark.slow
def test_real_runs(tmp_path: Path, capsys: Printed) -> None:
    write_annotations(tmp_path / "data.pkl", performers=1, frames=6)
    argv = [
        *("--table", "low-shot", "--shots", "all", "--arms", "gap"),
        *("--data", "nwucla-cpu", "--ann-file", str(tmp_path / "data.pkl")),
        *("--work-dir", str(tmp_path), "--epochs", "1", "--seeds", "1"),
        *("--cfg-options", "model.backbone.base_channels=8"),
        *("model.backbone.num_stages=1", "model.cls_head.in_channels=8"),
    ]
    assert main(argv) == 0
    (folder,) = tmp_path.glob("runs/*/*/*/seed0")
    log, file = (folder / "train.log").read_text(), folder / "run.json"
    record = json.loads(file.read_text())
    # 20 sequences in batches of 32.
    assert (record["iterations"], record["result"]["samples"]) == (1, 10)
    assert "loss_con" in log
    # The accuracy that training itself has found at its end.
    (found,) = re.findall(r"acc/top1: ([\d.]+)", log)
    assert record["result"]["top1"] == pytest.approx(100 * float(found), abs=0.01)

    # A damaged checkpoint is no end of the table.
    file.write_text(json.dumps({**record, "result": None}))
    checkpoint = folder / "train" / "epoch_1.pth"
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    assert main(argv) == 1
    out = capsys.readouterr().out
    assert "exit status 1: error: no checkpoint to" in out and str(checkpoint) in out
