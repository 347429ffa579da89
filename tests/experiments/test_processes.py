"""Children, locks, signals and commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gap_mmaction.experiments import (
    Interrupted,
    Launcher,
    WorkDirLock,
    WorkDirLockedError,
    interruptible,
)
from gap_mmaction.experiments.child_process import run_child
from gap_mmaction.experiments.run_folder import last_line

ENVIRONMENT = dict(os.environ)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_and_status(tmp_path: Path) -> None:
    log = tmp_path / "new" / "log"
    beats: list[int] = []
    code = "import sys, time; print('one'); time.sleep(0.3); sys.exit(3)"
    status = run_child(
        python(code), log, ENVIRONMENT, beat=lambda: beats.append(1), interval=0.05
    )
    assert status == 3
    assert beats
    assert run_child(python("print('two')"), log, ENVIRONMENT) == 0
    assert log.read_text().split() == ["one", "two"]
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run_child(python(code), log, ENVIRONMENT) == -signal.SIGKILL


def test_interruption_ends_a_child_that_does_not_want_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(os.getpid(), flush=True); time.sleep(600)"
    )

    def stop() -> None:
        if log.read_text():
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted) as caught, interruptible():
        run_child(python(code), log, ENVIRONMENT, (), stop, 0.05, grace=0.2)
    assert caught.value.number == signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


def test_second_signal_does_not_disturb() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted), interruptible():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_lock(tmp_path: Path) -> None:
    assert not WorkDirLock.is_taken(tmp_path)
    with WorkDirLock(tmp_path) as lock:
        assert WorkDirLock.is_taken(tmp_path)
        with pytest.raises(WorkDirLockedError, match=f'"pid": {os.getpid()}'):
            WorkDirLock(tmp_path, patience=0).__enter__()
        # A training that is left behind keeps it.
        child = subprocess.Popen(
            python("import time; print('up', flush=True); time.sleep(600)"),
            pass_fds=lock.files,
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        child.stdout.readline()
    with pytest.raises(WorkDirLockedError, match="a training that it has left"):
        WorkDirLock(tmp_path, patience=0).__enter__()
    child.kill()
    child.wait()
    child.stdout.close()
    assert not WorkDirLock.is_taken(tmp_path)
    with WorkDirLock(tmp_path, patience=0):
        pass


def test_lock_waits_for_one_that_is_about_to_end(tmp_path: Path) -> None:
    first = WorkDirLock(tmp_path).__enter__()
    timer = threading.Timer(0.3, first.__exit__, (None, None, None))
    timer.start()
    with WorkDirLock(tmp_path, patience=60):
        pass
    timer.join()


def test_commands() -> None:
    tools, config, work_dir = Path("/t"), Path("c.py"), Path("w")
    options = ("a.b=1", "c=[1,2]")
    rest = ["--work-dir", "w", "--seed", "3"]
    one = Launcher(tools)
    assert one.train(config, work_dir, 3, None, options) == [
        *(sys.executable, "/t/train.py", "c.py", *rest, "--cfg-options", *options)
    ]
    assert one.train(config, work_dir, 3, Path("epoch_2.pth"), ()) == [
        *(sys.executable, "/t/train.py", "c.py", *rest, "--resume", "epoch_2.pth")
    ]
    eight = Launcher(tools, 8)
    assert eight.train(config, work_dir, 3, None, ()) == [
        *("bash", "/t/dist_train.sh", "c.py", "8", *rest)
    ]
    test = (config, Path("e.pth"), work_dir, Path("s.pkl"), ())
    tail = ["c.py", "e.pth", "--work-dir", "w", "--dump", "s.pkl"]
    assert eight.test(*test) == [sys.executable, "/t/test.py", *tail]
    slurm = Launcher(tools, 8, "gpu", "job")
    assert slurm.train(config, work_dir, 3, None, ()) == [
        *("bash", "/t/slurm_train.sh", "gpu", "job", "c.py", *rest)
    ]
    assert slurm.test(*test) == ["bash", "/t/slurm_test.sh", "gpu", "job", *tail]
    assert slurm.environment("train")["GPUS"] == "8"
    assert slurm.environment("test")["GPUS"] == "1"
    root = str(Path(__file__).resolve().parents[2])
    assert one.environment("train")["PYTHONPATH"].split(os.pathsep)[0] == root


def test_last_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_text("start\n\nmmaction.CheckpointError: of another model\n\nBye\n\n")
    assert last_line(log) == "mmaction.CheckpointError: of another model"
    log.write_text("start\nslurmstepd: killed\n")
    assert last_line(log) == "slurmstepd: killed"
