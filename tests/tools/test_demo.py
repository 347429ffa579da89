from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_demo_prints_the_table(tmp_path: Path) -> None:
    command = [sys.executable, "tools/demo.py", "--epochs", "1"]
    done = subprocess.run(
        [*command, "--work-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(
        r"^(without GAP|with GAP) +([\d.]+) +([\d,]+) +([\d.]+)$", done.stdout, re.M
    )
    names, accuracies, parameters, times = zip(*rows)
    assert names == ("without GAP", "with GAP")
    assert all(0 < float(accuracy) < 100 for accuracy in accuracies)
    assert len(set(parameters)) == 1
    assert all(float(time) > 0 for time in times)
