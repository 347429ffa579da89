"""An NTU config by the tools, with CLIP's text tower; the others: test_config_runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.config_files import ROOT, write_annotation


@pytest.mark.slow
def test_two_iterations_and_a_test(tmp_path: Path) -> None:
    annotation = tmp_path / "ntu120_3d.pkl"
    write_annotation(annotation, "nturgb+d", 120, "xsub_train", "xsub_val")
    config = "configs/gap/ctrgcn_ntu120.py"
    options = [
        "optim_wrapper.type=OptimWrapper",  # the machine has no GPU
        "model.text_branch.encoder.pretrained=None",  # nor a network
        "train_cfg.max_epochs=1",
    ]
    for loader in ("train", "val", "test"):
        options += [
            f"{loader}_dataloader.dataset.ann_file={annotation}",
            f"{loader}_dataloader.batch_size=2",
            f"{loader}_dataloader.num_workers=0",
            f"{loader}_dataloader.persistent_workers=False",
        ]

    def run(*command: str) -> str:
        done = subprocess.run(
            [
                *(sys.executable, *command, "--work-dir", str(tmp_path)),
                *("--cfg-options", *options),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout + done.stderr

    log = run("tools/train.py", config)
    assert re.search(r"\[1\]\[2/2\].* loss_con: \d", log)
    trained = re.findall(r"acc/top1: ([\d.]+)", log)[-1]
    log = run("tools/test.py", config, str(tmp_path / "epoch_1.pth"))
    assert re.findall(r"acc/top1: ([\d.]+)", log)[-1] == trained
