"""A run that is killed ends as one that is not: real processes, real SIGKILLs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.benchmarks.kill_test import compare_checkpoints

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs fork and SIGKILL")


def check(kills: int, *options: str) -> None:
    command = ("tests/benchmarks/kill_test.py", "--epochs", "3", "--kills", str(kills))
    done = subprocess.run(
        [sys.executable, *command, *options],
        cwd=ROOT,
        # In a process of its own, as this one may have threads that cannot be forked.
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    pattern = r"(\d+) kills in a run .* of (\d+) tensors \(.*\) (\d+) are the same"
    (row,) = re.findall(pattern, done.stdout)
    assert int(row[0]) == kills and int(row[1]) == int(row[2]) > 100
    assert len(re.findall(r"^\| \d+ \|", done.stdout, re.M)) == kills


def test_one_process(tmp_path: Path) -> None:
    work_dir = tmp_path / "work"
    check(3, "--work-dir", str(work_dir))
    # The comparison would see another weight.
    path = work_dir / "killed" / "epoch_3.pth"
    content = torch.load(path, weights_only=True)
    content["state_dict"]["cls_head.fc.bias"][0] += 1e-7
    torch.save(content, tmp_path / "other.pth")
    _, different = compare_checkpoints(path, tmp_path / "other.pth")
    assert different == ["/state_dict/cls_head.fc.bias"]


@pytest.mark.slow
def test_two_processes_with_workers() -> None:
    check(2, "--processes", "2", "--workers", "2")
