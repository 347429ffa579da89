"""tools/demo.py, as short as it gets."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tools import demo


@pytest.mark.slow
def test_demo_prints_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--epochs", "1", "--seeds", "1", "--work-dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["tools/demo.py", *options])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # undone after what main sets
    assert demo.main() == 0
    printed = capsys.readouterr().out
    row = r"^(without GAP|with GAP) +([\d.]+) +([\d,]+) +[\d.]+$"
    names, accuracies, parameters = zip(*re.findall(row, printed, re.M))
    assert names == ("without GAP", "with GAP")
    assert all(0 < float(accuracy) < 100 for accuracy in accuracies)
    assert len(set(parameters)) == 1


def test_verdict() -> None:
    for gains, verdict in (
        ((3.0, 3.5, 4.0), ": beyond chance."),
        ((3.0, -2.0, 4.0), "which may be chance."),
        ((3.0,), "it takes more seeds"),
    ):
        plain = dict.fromkeys(range(len(gains)), 40.0)
        better = {seed: 40.0 + gain for seed, gain in enumerate(gains)}
        assert verdict in demo.conclude({"without GAP": plain, "with GAP": better})
