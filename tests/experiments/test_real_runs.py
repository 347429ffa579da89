"""Real trainings of a tiny network, with the real tools, one of them with GAP."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from gap_mmaction.datasets.readers.nwucla import ACTION_IDS
from gap_mmaction.experiments.experiment import Experiment
from gap_mmaction.experiments.launcher import Launcher
from gap_mmaction.experiments.table_configs import TableConfigs
from gap_mmaction.experiments.tables import Measure, Row, Table
from gap_mmaction.experiments.variants import Variant
from gap_mmaction.utils.restricted_pickle import write_annotations

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {
    "model.backbone.base_channels": 8,
    "model.backbone.num_stages": 2,
    "model.backbone.inflate_stages": [2],
    "model.backbone.down_stages": [2],
    "model.cls_head.in_channels": 16,
    "model.text_branch.loss.temperature": 0.2,
}


def write_data(path: Path) -> None:
    """Writes two short sequences of each class for training, and one for testing."""
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
    write_data(tmp_path / "data.pkl")
    variants = [Variant("ctrgcn-single", text) for text in ("plain", "parts4")]
    cells = tuple((Measure("nwucla-cpu", variant),) for variant in variants)
    table = Table("1x", "Tiny networks", (), ("A", "B"), (Row((), cells),))
    configs = TableConfigs(
        *(ROOT / "configs" / "gap", tmp_path / "data.pkl"), epochs=1, options=OPTIONS
    )
    launcher = Launcher(ROOT / "tools")
    experiment = Experiment(table, [1], tmp_path / "work", configs, launcher)
    assert experiment.run() == []
    shown = []
    for run, has_texts in zip(experiment.plan().values(), (False, True)):
        # 20 sequences in batches of 32.
        assert run.record["iterations"] == 1
        assert run.result is not None and run.result["samples"] == 10
        log = (run.path / "train.log").read_text()
        assert ("loss_con" in log) == has_texts
        # The accuracy that training itself has found at its end.
        (found,) = re.findall(r"acc/top1: ([\d.]+)", log)
        assert run.result["top1"] == pytest.approx(100 * float(found), abs=0.01)
        shown.append(f"{run.result['top1']:.1f} [{run.result['best_top1']:.1f}]")
    assert f"| {' | '.join(shown)} |" in experiment.text

    # A damaged checkpoint is no end of the table.
    file, checkpoint = run.path / "run.json", run.path / "train" / "epoch_1.pth"
    file.write_text(json.dumps({**json.loads(file.read_text()), "result": None}))
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    (failure,) = experiment.run()
    assert failure.startswith(f"{run.name}: exit status 1: error: no checkpoint to")
    assert str(checkpoint) in failure
