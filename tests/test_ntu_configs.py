"""Trains and tests from the NTU configs as they are, on small annotation files."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gap_mmaction.datasets.synthetic import make_synthetic

ROOT = Path(__file__).resolve().parents[1]


def write_ntu_annotation(path: Path, num_classes: int) -> None:
    """Write a file like mmaction2's ntu60_3d.pkl: float16, one or two persons."""
    source = make_synthetic(num_performers=2, num_train_performers=1, repetitions=1)
    annotations = []
    for i, sample in enumerate(source["annotations"][:8]):
        first = sample["keypoint"].astype(np.float16)
        persons = [first, first + np.float16(0.5)] if i % 2 else [first]
        annotations.append(
            {
                "frame_dir": f"S001C001P001R001A{i:03d}",
                "label": (37 * i) % num_classes,
                "total_frames": first.shape[1],
                "keypoint": np.concatenate(persons),
            }
        )
    names = [annotation["frame_dir"] for annotation in annotations]
    split = {"xsub_train": names[:4], "xsub_val": names[4:]}
    path.write_bytes(pickle.dumps({"split": split, "annotations": annotations}))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "num_classes"), [("ntu120", 120), ("ntu60", 60)])
def test_two_iterations_and_a_test(tmp_path: Path, name: str, num_classes: int) -> None:
    annotation = tmp_path / f"{name}_3d.pkl"
    write_ntu_annotation(annotation, num_classes)
    config = f"configs/gap/ctrgcn_{name}.py"
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
