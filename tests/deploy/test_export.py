"""ClipScorer computes what tools/test.py does, folded and exported too; the tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from gap_mmaction.deploy import export, exported_model
from gap_mmaction.deploy.clip_scorer import AVERAGES, ClipScorer, person_limit
from gap_mmaction.deploy.export import compare_scorers, recognizer_scorer
from gap_mmaction.deploy.exported_model import (
    KEY_OF_CHECKPOINT,
    export_onnx,
    export_torchscript,
    run_onnx,
    run_torchscript,
)
from gap_mmaction.deploy.folding import fold_batch_norms
from gap_mmaction.models.backbones import plain_path
from gap_mmaction.skeletons import STREAMS, get_skeleton, layouts
from gap_mmaction.utils.files import file_digest
from tests.config_files import write_annotation
from tests.deploy.models import BACKBONES, CLASSES, build, clips
from tools.export_onnx import main


@pytest.mark.parametrize("layout", layouts())
@pytest.mark.parametrize("stream", STREAMS)
def test_scores_of_a_test_step(stream: str, layout: str) -> None:
    model = build("ctrgcn", stream, graph_cfg=dict(layout=layout))
    x = clips(number=2, joints=get_skeleton(layout).num_joints)
    batch = dict(inputs=list(x), data_samples=[ActionDataSample() for _ in x])
    with torch.no_grad():
        samples = model.test_step(batch)
        expected = torch.stack([sample.pred_score for sample in samples])
        torch.testing.assert_close(ClipScorer(model)(x), expected)
    for average in AVERAGES:
        with torch.no_grad():
            scores = ClipScorer(model, average)(x)
        torch.testing.assert_close(scores, recognizer_scorer(model, average)(x))


def test_parity_tells_models_apart() -> None:
    model, other = build("ctrgcn"), build("ctrgcn")
    torch.nn.init.normal_(other.cls_head.fc.weight)
    reference, x = recognizer_scorer(model, "prob"), clips()
    parity = compare_scorers(reference, recognizer_scorer(other, "prob"), [(x, x)])
    assert not parity.holds(1e-3)
    broken = compare_scorers(reference, lambda c: reference(c) * float("nan"), [(x, x)])
    assert not broken.holds(1e9)


def test_other_preprocessors() -> None:
    model = build("stgcn")
    model.data_preprocessor = MODELS.build(dict(type="ActionDataPreprocessor"))
    ClipScorer(model)
    scaled = dict(type="ActionDataPreprocessor", mean=[0.0] * 3, std=[1.0] * 3)
    model.data_preprocessor = MODELS.build(scaled)
    with pytest.raises(ValueError, match="settings of its own"):
        ClipScorer(model)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_folding_keeps_the_scores(name: str) -> None:
    model = build(name).double()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    norms = sum(isinstance(module, _BatchNorm) for module in model.modules())
    folded, counts = fold_batch_norms(model)
    left = sum(isinstance(module, _BatchNorm) for module in folded.modules())
    assert counts == {"folded": norms - left, "left": left}
    assert counts["folded"] > 0
    free = name in ("stgcn", "stgcnpp")
    assert person_limit(model.backbone) == (None if free else 2)
    x = clips().double().flatten(0, 1)
    with torch.no_grad(), plain_path():
        expected = model.cls_head(model.backbone(x))
        actual = folded.cls_head(folded.backbone(x))
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def test_synchronized_normalizations() -> None:
    model = build("ctrgcn-authors").double()
    x = clips().double().flatten(0, 1)
    with torch.no_grad():
        expected = model.backbone(x)
        converted = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        actual = fold_batch_norms(converted)[0].backbone(x)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


def test_models_that_are_refused() -> None:
    with torch.no_grad(), pytest.raises(RuntimeError):
        ClipScorer(build("ctrgcn"))(torch.zeros(1, 1, 3, 8, 25, 3))
    with pytest.raises(ValueError, match=r"call model\.eval"):
        fold_batch_norms(build("ctrgcn").train())
    norm = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False)).eval()
    with pytest.raises(ValueError, match="no running statistics"):
        fold_batch_norms(norm)


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
    pairs += export.with_fewer_persons(clips(4), ClipScorer(model).persons)
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
    metadata = {KEY_OF_CHECKPOINT: file_digest(__file__), "checkpoint": "mine.pth"}
    content = export_onnx(ClipScorer(folded), SHAPE, metadata)
    scorer = run_onnx(content, Path(__file__))
    check(scorer, name, **TWO_STAGES)
    with pytest.raises(ValueError, match=r"takes no clips \[.*16,.*"):
        scorer(clips(frames=16))  # the number of frames is fixed
    with pytest.raises(ValueError, match=r"is an export of mine\.pth.*conftest"):
        run_onnx(content, Path(__file__).parents[1] / "conftest.py")
    with pytest.raises(ValueError, match="no ONNX model"):
        run_onnx(b"PK")


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
