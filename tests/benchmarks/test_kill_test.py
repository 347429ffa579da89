"""A run that is killed ends as one that is not: real processes, real SIGKILLs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.benchmarks.kill_test import ROOT, compare_checkpoints


@pytest.mark.skipif(os.name != "posix", reason="needs fork and SIGKILL")
@pytest.mark.parametrize(
    ("kills", "processes", "workers"),
    [("3", "1", "0"), pytest.param("2", "2", "2", marks=pytest.mark.slow)],
)
def test_kills(kills: str, processes: str, workers: str, tmp_path: Path) -> None:
    options = ["--epochs", "3", "--kills", kills, "--processes", processes]
    options += ["--workers", workers, "--work-dir", str(tmp_path / "work")]
    # In a process of its own, as this one may have threads that cannot be forked.
    done = subprocess.run(
        [sys.executable, "tests/benchmarks/kill_test.py", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    pattern = r"(\d+) kills in a run .*; (\d+) of (\d+) tensors .* are the same"
    (row,) = re.findall(pattern, done.stdout)
    assert row[0] == kills and int(row[1]) == int(row[2]) > 100
    assert len(re.findall(r"^\| \d+ \|", done.stdout, re.M)) == int(kills)
    # The comparison would see another weight.
    path = tmp_path / "work" / "killed" / "epoch_3.pth"
    content = torch.load(path, weights_only=True)
    content["state_dict"]["cls_head.fc.bias"][0] += 1e-7
    torch.save(content, tmp_path / "other.pth")
    _, different = compare_checkpoints(path, tmp_path / "other.pth")
    assert different == ["/state_dict/cls_head.fc.bias"]
