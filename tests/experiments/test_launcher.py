"""Commands, and tools that fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gap_mmaction.experiments.launcher import Launcher, RunFailedError

WORDS = ("c.py", "--work-dir", "w")


@pytest.mark.parametrize(
    ("settings", "tool", "command"),
    [
        ((), "train", [sys.executable, "/t/train.py", *WORDS]),
        ((8,), "train", ["bash", "/t/dist_train.sh", "c.py", "8", *WORDS[1:]]),
        ((8,), "test", [sys.executable, "/t/test.py", *WORDS]),
        (
            (8, "gpu", "job"),
            "train",
            ["bash", "/t/slurm_train.sh", "gpu", "job", *WORDS],
        ),
        ((8, "gpu", "job"), "test", ["bash", "/t/slurm_test.sh", "gpu", "job", *WORDS]),
    ],
)
def test_commands(
    settings: tuple[int, str, str], tool: str, command: list[str]
) -> None:
    assert Launcher(Path("/t"), *settings).command(tool, *WORDS) == command


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "import nothing_like_it",
            "exit status 1: ModuleNotFoundError: No module named",
        ),
        (
            "print('a.CheckpointError: of another model'); print('Bye'); exit(3)",
            "exit status 3: a.CheckpointError: of another model",
        ),
        ("print('slurmstepd: killed'); exit(1)", "exit status 1: slurmstepd: killed"),
        ("import os; os.kill(os.getpid(), 9)", "exit status -9: no output"),
    ],
)
def test_failures(tmp_path: Path, code: str, message: str) -> None:
    (tmp_path / "train.py").write_text(code)
    log = tmp_path / "log"
    with pytest.raises(RunFailedError) as caught:
        Launcher(tmp_path).call(log, "train")
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith(f"(log: {log})")


def test_environment(tmp_path: Path) -> None:
    code = (
        "import os; print(*(os.environ[k] for k in ('PYTHONPATH', 'PYTHON', 'GPUS')))"
    )
    (tmp_path / "test.py").write_text(code)
    (tmp_path / "dist_train.sh").write_text('exec "$PYTHON" "$(dirname "$0")/test.py"')
    launcher, log = Launcher(tmp_path, 4), tmp_path / "log"
    launcher.call(log, "train", "c.py")
    launcher.call(log, "test")
    root = str(Path(__file__).resolve().parents[2])
    for line, gpus in zip(log.read_text().splitlines(), "41"):
        assert line.startswith(root) and line.endswith(f"{sys.executable} {gpus}")
