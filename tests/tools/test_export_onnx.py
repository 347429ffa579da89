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
]


def check(
    scorer: Any,
    name: str,
    average: str = "prob",
    stream: str = "joint",
    **settings: Any,
) -> None:
    """Compare with the recognizer, at other sizes than those of the export."""
    model = build(name, stream, **settings)
    reference = recognizer_scorer(model, average)
    inputs = [clips(1), clips(5), clips(3, number=2)]
    pairs = [(x, x) for x in inputs]
    pairs += with_fewer_persons(clips(4), ClipScorer(model).persons)
    parity = compare_scorers(reference, scorer, pairs)
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
    content = export_onnx(ClipScorer(folded), SHAPE, {"key": "value"})
    scorer = run_onnx(content)
    check(scorer, name, **TWO_STAGES)
    with pytest.raises(Exception, match=r"(?i)invalid|mismatch|dimension"):
        scorer(clips(frames=16))  # the number of frames is fixed
    if ClipScorer(folded).persons is not None:
        with pytest.raises(Exception, match=r"(?i)shape|dimension"):
            scorer(torch.cat([clips(), clips()], dim=2))


@pytest.mark.parametrize("name", list(BACKBONES))
def test_torchscript(name: str) -> None:
    folded, _ = fold_batch_norms(build(name))
    scorer = ClipScorer(folded)
    check(run_torchscript(export_torchscript(scorer, SHAPE, {})), name)


@pytest.mark.parametrize("average", ["score", "none"])
def test_streams_and_averages_are_in_the_file(average: str) -> None:
    scorer = ClipScorer(build("ctrgcn", "bone-motion"), average)
    exported = run_torchscript(export_torchscript(scorer, SHAPE, {}))
    check(exported, "ctrgcn", average, "bone-motion")


class Project:
    """A config with annotations and a checkpoint of a small model."""

    def __init__(self, folder: Path) -> None:
        data = folder / "data.pkl"
        write_annotation(data, "nturgb+d", CLASSES, "xsub_train", "xsub_val")
        config = "configs/gap/ctrgcn_synthetic.py"
        self.checkpoint = str(folder / "epoch_1.pth")
        self.model = build("ctrgcn", **TWO_STAGES)
        torch.save({"state_dict": self.model.state_dict()}, self.checkpoint)
        self.out = folder / "model.pt"
        self.report = folder / "report.json"
        self.data = data
        person = "test_dataloader.dataset.pipeline.3.num_person=2"
        split = "test_dataloader.dataset.split=xsub_val"
        self.args = [config, self.checkpoint, str(self.out), "--format", "torchscript"]
        self.options = ["--cfg-options", *OPTIONS, person, split]

    def export(self, *args: str) -> int:
        return main([*self.args, *args, *self.options])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_tool_on_annotations(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    ann_file = ["--ann-file", str(project.data)]
    report = ["--report", str(project.report), "--benchmark", "--pairs", "2"]
    assert project.export(*ann_file, *report) == 0
    printed = capsys.readouterr().out
    assert "checked with 4 of 4 sequences of data.pkl" in printed
    for line in ("folded plain torch", "torchscript", "torchscript, fewer persons"):
        assert f"\n{line}: 4 of 4 labels the same" in printed
    assert "latency, 16 at a time: torchscript" in printed
    content = json.loads(project.report.read_text())
    assert content["torchscript"]["samples"] == 4
    assert content["torchscript"]["difference"] < 1e-5
    assert [row["batch"] for row in content["latency"]] == [1, 16]
    exported = torch.jit.load(project.out)
    assert exported(torch.zeros(1, 1, 2, 32, 25, 3)).shape == (1, CLASSES)


def test_tool_on_generated_clips(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--clips", "3", "--average-clips", "none", "--no-fold"]
    assert project.export("--generated", *options) == 0
    printed = capsys.readouterr().out
    assert "checked with 3 generated sequences, 1 clips, 2 persons each" in printed
    assert "average of clips: none" in printed and "folded" not in printed


def test_refused(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(*args: Any) -> bytes:
        return export_torchscript(ClipScorer(build("ctrgcn", "bone")), *args[1:])

    monkeypatch.setattr(export, "export_torchscript", wrong)
    assert project.export("--generated", "--clips", "3") == 1
    assert "this is another model, and no file is written" in capsys.readouterr().err
    assert project.export("--ann-file", "absent.pkl") == 1
    assert "absent.pkl is not there" in capsys.readouterr().err
    other = build("ctrbaseline", **TWO_STAGES)
    torch.save({"state_dict": other.state_dict()}, project.checkpoint)
    assert project.export("--generated") == 1
    assert "epoch_1.pth: the checkpoint does not fit" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        project.export("--generated", "--ann-file", "a.pkl")
    monkeypatch.setattr(exported_model, "_ONNX_PACKAGES", ("no_such_onnx",))
    project.args[-1] = "onnx"
    assert project.export("--generated") == 1
    printed = capsys.readouterr().err
    assert "`pip install no_such_onnx`" in printed and "torchscript" in printed
    assert not project.out.exists()
