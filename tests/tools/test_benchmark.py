"""tools/benchmark.py: its table, its file, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gap_mmaction.evaluation.cost import compare
from gap_mmaction.models import CTRGCN
from tests.benchmarks.speed_cases import load_class
from tools.benchmark import main

Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """The tool sets the number of threads."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def run(folder: Path, *args: str) -> list[dict[str, Any]]:
    out = folder / "speed.json"
    assert main([*args, "--pairs", "2", "--small", "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["environment"]["threads"] == 1
    assert result["environment"]["torch"] == torch.__version__
    for row in result["rows"]:
        assert row["ours_ms"] > 0 and row["other_ms"] > 0
        assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    return result["rows"]


@pytest.mark.parametrize("options", [(), ("--channels-last",)])
def test_backbone(options: tuple[str, ...], tmp_path: Path, capsys: Printed) -> None:
    rows = run(tmp_path, "backbone", "--shapes", "nwucla", *options)
    assert [row["work"] for row in rows] == ["nwucla eval", "nwucla step"]
    assert all(row["difference"] < 1e-4 for row in rows)
    assert "| nwucla step |" in capsys.readouterr().out


def test_pipeline(tmp_path: Path, capsys: Printed) -> None:
    rows = run(tmp_path, "pipeline")
    assert [row["difference"] for row in rows] == [0, 0]
    assert "| clip of 2 x 100 frames |" in capsys.readouterr().out


def test_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_clip = pytest.importorskip("open_clip")
    text = dict(context_length=77, vocab_size=49408, width=16, heads=2, layers=1)
    vision = dict(image_size=32, layers=1, width=16, patch_size=16)
    tiny = dict(embed_dim=12, vision_cfg=vision, text_cfg=text)
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", tiny)
    rows = run(tmp_path, "text", "--model", "tiny")
    assert [row["work"].split(", ")[2] for row in rows] == ["10 classes", "120 classes"]
    assert all(row["difference"] < 1e-4 for row in rows)


def test_step_and_inference(tmp_path: Path, capsys: Printed) -> None:
    (step,), (inference,) = (run(tmp_path, name) for name in ("step", "inference"))
    assert step["parameters"][0] > step["parameters"][1] > 1e6
    assert inference["parameters"] == [step["parameters"][1]] * 2
    assert "| ctrgcn_nwucla_cpu, step with GAP / without |" in capsys.readouterr().out


def test_turns() -> None:
    calls: list[str] = []
    works = (lambda: calls.append("ours"), lambda: calls.append("other"))
    compare(*works, pairs=3, device=torch.device("cpu"))
    assert calls == ["ours", "other"] * 4


def test_against(tmp_path: Path) -> None:
    file = tmp_path / "other.py"
    file.write_text(
        "from gap_mmaction.models import CTRGCN\nclass Wider(CTRGCN):\n    pass\n"
    )
    assert load_class(str(file)) is CTRGCN
    assert load_class(f"{file}:Wider").__name__ == "Wider"
    with pytest.raises(KeyError, match="no class 'Narrower'"):
        load_class(f"{file}:Narrower")
    # A package that registers its own.
    (tmp_path / "__init__.py").write_text("from .ctrgcn import CTRGCN\n")
    (tmp_path / "ctrgcn.py").write_text(
        "from mmaction.registry import MODELS\n"
        "@MODELS.register_module()\n"
        "class CTRGCN:\n"
        "    pass\n"
    )
    assert load_class(str(tmp_path)) is not CTRGCN


def test_errors(tmp_path: Path, capsys: Printed) -> None:
    config = tmp_path / "plain.py"
    config.write_text("model = dict(text_branch=None)\n")
    for args, message in (
        (["step", "--config", str(config)], f"{config}: model.text_branch is not set"),
        (["backbone", "--against", "nowhere.py"], "--against nowhere.py: there is no"),
        (["backbone", "--against", "gap_nowhere.models"], "--against gap_nowhere.mod"),
    ):
        assert main(args) == 1
        assert message in capsys.readouterr().err
    for args, message in (
        (["backbone", "--pairs", "1"], "must be 2 or more"),
        (["backbone", "--threads", "0"], "must be 1 or more"),
        (["pipeline", "--device", "cuda"], "runs on the CPU"),
    ):
        with pytest.raises(SystemExit):
            main(args)
        assert message in capsys.readouterr().err
