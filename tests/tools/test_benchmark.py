"""tools/benchmark.py: its table, its file, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gap_mmaction.models import CTRGCN
from tests.benchmarks.speed_cases import load_class
from tools.benchmark import main

Printed = pytest.CaptureFixture[str]


def run(folder: Path, *args: str) -> list[dict[str, Any]]:
    out = folder / "speed.json"
    assert main([*args, "--pairs", "2", "--small", "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["environment"]["torch"] == torch.__version__
    for row in result["rows"]:
        assert row["ours_ms"] > 0 and row["other_ms"] > 0
        assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    return result["rows"]


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("backbone --shapes nwucla", ["nwucla eval", "nwucla step"]),
        ("backbone --works eval --shapes ntu --channels-last", ["ntu eval"]),
        ("pipeline", [f"clip of 2 x 100 frames{end}" for end in ("", ", normalized")]),
        ("text --model tiny", [f"tiny, 16 samples, {n} classes" for n in (10, 120)]),
    ],
)
@pytest.mark.usefixtures("tiny_clip")
def test_same_output(
    command: str, names: list[str], tmp_path: Path, capsys: Printed
) -> None:
    rows, printed = run(tmp_path, *command.split()), capsys.readouterr().out
    for row, name in zip(rows, names, strict=True):
        assert row["work"].startswith(name) and f"| {row['work']} |" in printed
        assert row["difference"] <= (0 if command == "pipeline" else 1e-4)


def test_step_and_inference(tmp_path: Path) -> None:
    (step,), (inference,) = (run(tmp_path, name) for name in ("step", "inference"))
    assert step["parameters"][0] > step["parameters"][1] > 1e6
    assert inference["parameters"] == [step["parameters"][1]] * 2


def test_against(tmp_path: Path) -> None:
    file = tmp_path / "other.py"
    file.write_text("from gap_mmaction.models import CTRGCN\nclass Wide: pass\n")
    assert load_class(str(file)) is CTRGCN
    assert load_class(f"{file}:Wide").__name__ == "Wide"
    with pytest.raises(KeyError, match="no class 'Narrow'"):
        load_class(f"{file}:Narrow")
    # A package that registers its own.
    (tmp_path / "__init__.py").write_text(
        "from mmaction.registry import MODELS\n"
        "@MODELS.register_module()\nclass CTRGCN: pass\n"
    )
    assert load_class(str(tmp_path)) is not CTRGCN


def test_errors(tmp_path: Path, capsys: Printed) -> None:
    config = tmp_path / "plain.py"
    config.write_text("model = dict(text_branch=None)\n")
    for args, message in (
        (["step", "--config", str(config)], f"{config}: model.text_branch is not set"),
        (["backbone", "--against", "nowhere.py"], "No module named 'nowhere'"),
    ):
        assert main(args) == 1
        assert message in capsys.readouterr().err
