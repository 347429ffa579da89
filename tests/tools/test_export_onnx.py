"""tools/export_onnx.py: every backbone, both formats, and what must fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gap_mmaction.deploy import export, exported_model
from gap_mmaction.deploy.clip_scorer import ClipScorer
from gap_mmaction.deploy.export import (
    compare_scorers,
    recognizer_scorer,
    with_fewer_persons,
)
from gap_mmaction.deploy.exported_model import (
    export_onnx,
    export_torchscript,
    run_onnx,
    run_torchscript,
)
from gap_mmaction.deploy.folding import fold_batch_norms
from tests.config_files import write_annotation
from tests.deploy.models import BACKBONES, CLASSES, build, clips
from tools.export_onnx import main

SHAPE = (1, 2, 8, 25, 3)
TWO_STAGES: dict[str, Any] = dict(num_stages=2, down_stages=[2])
AT_ONCE = ("ctrgcn-authors", "stgcn")
OPTIONS = [
    *("model.backbone.base_channels=8", "model.backbone.num_stages=2"),
    *("model.backbone.inflate_stages=[2]", "model.backbone.down_stages=[2]"),
    *("model.cls_head.in_channels=16", "model.backbone.num_person=2"),
    "test_dataloader.dataset.pipeline.3.num_person=2",
    "test_dataloader.dataset.split=xsub_val",
]


def check(scorer: Any, name: str, stream: str = "joint", **settings: Any) -> None:
    """Compare with the recognizer, at other sizes than those of the export."""
    model = build(name, stream, **settings)
    pairs = [(x, x) for x in (clips(1), clips(5), clips(3, number=2))]
    pairs += with_fewer_persons(clips(4), ClipScorer(model).persons)
    parity = compare_scorers(recognizer_scorer(model, "prob"), scorer, pairs)
    assert parity.holds(1e-5), parity
    assert parity.samples >= 9


@pytest.mark.parametrize(
    "name",
    [
        # torch's exporter takes its time, so all but two go with the slow tests.
        pytest.param(name, marks=[] if name in AT_ONCE else pytest.mark.slow)
        for name in BACKBONES
    ],
)
def test_onnx(name: str) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    folded, _ = fold_batch_norms(build(name, **TWO_STAGES))
    scorer = run_onnx(export_onnx(ClipScorer(folded), SHAPE, {"key": "value"}))
    check(scorer, name, **TWO_STAGES)
    with pytest.raises(Exception, match=r"(?i)invalid|mismatch|dimension"):
        scorer(clips(frames=16))  # the number of frames is fixed


@pytest.mark.parametrize("name", list(BACKBONES))
def test_torchscript(name: str) -> None:
    folded, _ = fold_batch_norms(build(name, "bone-motion"))
    scorer = ClipScorer(folded)
    check(run_torchscript(export_torchscript(scorer, SHAPE, {})), name, "bone-motion")


def run(folder: Path, *args: str, model: str = "ctrgcn") -> int:
    """Writes a checkpoint of a small model, and exports it as model.pt."""
    checkpoint, out = str(folder / "epoch_1.pth"), str(folder / "model.pt")
    state = build(model, **TWO_STAGES).state_dict()
    torch.save({"state_dict": state}, checkpoint)
    config = "configs/gap/ctrgcn_synthetic.py"
    script = ["--format", "torchscript", *args]
    return main([config, checkpoint, out, *script, "--cfg-options", *OPTIONS])


def test_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, report = tmp_path / "data.pkl", tmp_path / "report.json"
    write_annotation(data, "nturgb+d", CLASSES, "xsub_train", "xsub_val")
    options = ["--report", str(report), "--benchmark", "--pairs", "2"]
    assert run(tmp_path, "--ann-file", str(data), *options) == 0
    content = json.loads(report.read_text())
    assert content["torchscript"]["samples"] == 4
    assert content["torchscript"]["difference"] < 1e-5
    assert [row["batch"] for row in content["latency"]] == [1, 16]
    exported = torch.jit.load(tmp_path / "model.pt")
    assert exported(torch.zeros(1, 1, 2, 32, 25, 3)).shape == (1, CLASSES)
    options = ["--clips", "3", "--average-clips", "none", "--no-fold"]
    assert run(tmp_path, "--generated", *options) == 0
    assert "average of clips: none" in capsys.readouterr().out


def test_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*args: Any) -> bytes:
        return export_torchscript(ClipScorer(build("ctrgcn", "bone")), *args[1:])

    monkeypatch.setattr(export, "export_torchscript", wrong)
    monkeypatch.setattr(exported_model, "_ONNX_PACKAGES", ("no_such_onnx",))
    for args, model, message in (
        (["--generated", "--clips", "3"], "ctrgcn", "is another model"),
        (["--ann-file", "absent.pkl"], "ctrgcn", "absent.pkl is not there"),
        (["--generated"], "ctrbaseline", "epoch_1.pth: the checkpoint does not fit"),
        (["--format", "onnx"], "ctrgcn", "`pip install no_such_onnx`"),
    ):
        assert run(tmp_path, *args, model=model) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "model.pt").exists()
