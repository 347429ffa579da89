"""A run that is killed ends as one that is not: real processes, real SIGKILLs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gap_mmaction.benchmark.kill_test import compare_checkpoints

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs fork and SIGKILL")


TOOL = ("tools/analysis/kill_test.py",)
# As if the undisturbed run had stalled, and the killed one had not.
LATE_KILLS = """
import runpy, sys
from gap_mmaction.benchmark import kill_test
def moments(times, per_epoch, kills, seed):
    return [("step", 0, 600.0), ("step", len(times) - 1, 600.0)]
kill_test._moments = moments
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(*options: str, command: tuple[str, ...] = TOOL) -> str:
    done = subprocess.run(
        [sys.executable, *command, "--epochs", "3", *options],
        cwd=ROOT,
        # In a process of its own, as this one may have threads that cannot be forked.
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def check(output: str, kills: int) -> None:
    pattern = r"(\d+) kills in a run .* of (\d+) tensors \(.*\) (\d+) are the same"
    (row,) = re.findall(pattern, output)
    assert int(row[0]) == kills and int(row[1]) == int(row[2]) > 100
    assert len(re.findall(r"^\| \d+ \|", output, re.M)) == kills


def test_one_process(tmp_path: Path) -> None:
    work_dir = tmp_path / "work"
    check(run("--kills", "3", "--work-dir", str(work_dir)), 3)
    # The comparison would see another weight.
    path = work_dir / "killed" / "epoch_3.pth"
    content = torch.load(path, weights_only=True)
    content["state_dict"]["cls_head.fc.bias"][0] += 1e-7
    torch.save(content, tmp_path / "other.pth")
    _, different = compare_checkpoints(path, tmp_path / "other.pth")
    assert different == ["/state_dict/cls_head.fc.bias"]


def test_run_that_is_faster_than_its_kill() -> None:
    output = run("--kills", "2", command=("-c", LATE_KILLS, *TOOL))
    check(output, 2)


@pytest.mark.slow
def test_two_processes_with_workers() -> None:
    options = ("--kills", "2", "--processes", "2", "--workers", "2")
    check(run(*options), 2)
