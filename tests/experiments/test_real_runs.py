"""Two real trainings of a tiny network, with the real tools."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from gap_mmaction.datasets.readers.nwucla import ACTION_IDS
from gap_mmaction.experiments import (
    Experiment,
    Launcher,
    Measure,
    Row,
    RunConfigs,
    RunFolder,
    SplitSizes,
    Table,
    Variant,
)
from gap_mmaction.utils.restricted_pickle import write_annotations

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = (
    "model.backbone.base_channels=8",
    "model.backbone.num_stages=2",
    "model.backbone.inflate_stages=[2]",
    "model.backbone.down_stages=[2]",
    "model.cls_head.in_channels=16",
    "model.text_branch.loss.temperature=0.2",
)


def write_data(path: Path) -> None:
    """Write two short sequences of each class for training, and one for testing."""
    rng = np.random.default_rng(0)
    annotations = [
        {
            "frame_dir": f"a{action:02d}_s01_e00_v{view:02d}",
            "label": label,
            "total_frames": 6,
            "keypoint": rng.normal(size=(1, 6, 20, 3)).astype(np.float32),
        }
        for label, action in enumerate(ACTION_IDS)
        for view in (1, 2, 3)
    ]
    names = [str(item["frame_dir"]) for item in annotations]
    split = {
        "xview_train": [name for name in names if name[-1] != "3"],
        "xview_val": [name for name in names if name[-1] == "3"],
    }
    write_annotations({"split": split, "annotations": annotations}, path)


@pytest.mark.slow
def test_without_gap_and_with_it(tmp_path: Path) -> None:
    data = tmp_path / "data.pkl"
    write_data(data)
    measures = [
        Measure("nwucla-cpu", Variant("ctrgcn-single", text))
        for text in ("plain", "parts4")
    ]
    rows = tuple(Row((measure.variant.text,), ((measure,),)) for measure in measures)
    table = Table("1x", "Two tiny networks", ("Texts",), ("Acc (%)",), rows)
    configs = RunConfigs(
        *(ROOT / "configs" / "gap", SplitSizes(), data),
        epochs=1,
        options=OPTIONS,
    )
    work_dir = tmp_path / "work"
    experiment = Experiment(
        *(table, [1], work_dir, configs, Launcher(ROOT / "tools"), "1 epoch")
    )
    failures = experiment.run()
    assert not failures, failures[0].log.read_text()[-3000:]
    for measure, has_texts in zip(measures, (False, True)):
        ((spec,),) = measure.replicates([1])
        folder = RunFolder(work_dir, spec)
        record = folder.read()
        assert record is not None and record.has_ended and record.result is not None
        # 20 sequences in batches of 32.
        assert record.iterations == 1
        assert record.result["samples"] == 10
        log = folder.train_log.read_text()
        assert ("loss_con" in log) == has_texts
        # The accuracy that training itself has found at its end.
        (found,) = re.findall(r"acc/top1: ([\d.]+)", log)
        assert record.result["top1"] == pytest.approx(100 * float(found), abs=0.01)
        accuracy = f"{record.result['top1']:.1f}"
        # The only epoch is the best one too.
        cells = f"{measure.variant.text} | {accuracy} [{accuracy}]"
        assert f"| {cells} |" in experiment.text()
    before = [path.stat().st_mtime_ns for path in sorted(work_dir.rglob("run.json"))]
    assert not experiment.run()
    assert before == [
        path.stat().st_mtime_ns for path in sorted(work_dir.rglob("run.json"))
    ]
