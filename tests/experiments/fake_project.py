"""A project whose trainings take no time: configs, and tools that play their part."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

CONFIG = """
model = dict(
    type="RecognizerGAP",
    backbone=dict(type="CTRGCN", graph_cfg=dict(layout="nw-ucla"), num_person=1),
    text_branch=dict(
        type="TextBranch",
        prompts=dict(preset="synonym+parts4"),
        encoder=dict(type="OpenCLIPTextEncoder", model="ViT-B-32", pretrained="openai",
                     frozen=False),
        loss=dict(loss_weight=0.8),
    ),
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        type="RepeatDataset",
        times=2,
        dataset=dict(type="SafePoseDataset", ann_file="nwucla.pkl",
                     split="xview_train"),
    ),
)
val_dataloader = dict(
    batch_size=4,
    dataset=dict(type="SafePoseDataset", ann_file="nwucla.pkl", split="xview_val"),
)
test_dataloader = val_dataloader
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=20, val_interval=5)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=True, begin=0, end=2),
    dict(type="MultiStepLR", by_epoch=True, begin=0, end=20, milestones=[16, 18]),
]
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.1))
default_hooks = dict(checkpoint=dict(type="CheckpointHook", max_keep_ckpts=1))
auto_scale_lr = dict(base_batch_size=4)
"""

TRAIN = """
import argparse, json, os, pathlib, re, runpy, shutil, time

parser = argparse.ArgumentParser()
parser.add_argument("config")
parser.add_argument("--work-dir", type=pathlib.Path)
parser.add_argument("--seed", type=int)
parser.add_argument("--resume", action="store_true")
args = parser.parse_args()


def tell(**line):
    with open(os.environ["FAKE_JOURNAL"], "a") as stream:
        stream.write(json.dumps({"run": str(args.work_dir.parent), **line}) + "\\n")


last, first = args.work_dir / "last_checkpoint", 1
if args.resume and last.is_file():
    first = int(re.search(r"epoch_(\\d+)", last.read_text())[1]) + 1
tell(start=first, pid=os.getpid(), seed=args.seed)
if os.environ.get("FAKE_FAIL", "nothing") in str(args.work_dir):
    raise ValueError("the loss is not finite")
epochs = runpy.run_path(args.config)["train_cfg"]["max_epochs"]
args.work_dir.mkdir(parents=True, exist_ok=True)
for epoch in range(first, epochs + 1):
    name = f"epoch_{epoch}.pth"
    (args.work_dir / name).write_text("weights")
    last.write_text(str(args.work_dir / name))
    tell(epoch=epoch)
    if os.environ.get("FAKE_HANG", "nothing") in str(args.work_dir) and epoch == 2:
        time.sleep(600)
"""
# Of 10 samples 5 and as many as the seed says are right.
TEST = """
import os, pickle, re, sys, json

scores = sys.argv[sys.argv.index("--dump") + 1]
right = 5 + int(re.search(r"seed(\\d+)", scores).group(1))
content = []
for sample in range(10):
    label = sample % 2
    chosen = label if sample < right else 1 - label
    content.append({"gt_label": label, "pred_score": [1.0 - chosen, float(chosen)]})
with open(scores, "wb") as stream:
    pickle.dump(content, stream)
with open(os.environ["FAKE_JOURNAL"], "a") as stream:
    stream.write(json.dumps({"run": os.path.dirname(scores), "test": sys.argv[2]}))
    stream.write("\\n")
"""


class FakeProject:
    """The folders of a project, and what has been run in it.

    Args:
        root: An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work_dir = root / "work"
        self.journal = root / "journal"
        configs, tools = root / "configs" / "gap", root / "tools"
        configs.mkdir(parents=True)
        tools.mkdir()
        for name in ("ctrgcn_nwucla", "ctrgcn_nwucla_cpu"):
            (configs / f"{name}.py").write_text(CONFIG)
        for stream in ("bone", "joint-motion", "bone-motion"):
            leaf = f"_base_ = './ctrgcn_nwucla.py'\nmodel = dict(stream={stream!r})\n"
            (configs / f"ctrgcn_nwucla_{stream}.py").write_text(leaf)
        (tools / "train.py").write_text(TRAIN)
        (tools / "test.py").write_text(TEST)
        self.data = root / "nwucla.pkl"
        write_annotations(self.data)

    def argv(self, *arguments: str, table: str = "1a") -> list[str]:
        """A command line of tools/reproduce.py."""
        return [
            *("--table", table, "--data", "nwucla", "--ann-file", str(self.data)),
            *("--work-dir", str(self.work_dir), *arguments),
        ]

    def lines(self) -> list[dict[str, Any]]:
        """What the tools have noted, runs as paths in the work dir."""
        if not self.journal.is_file():
            return []
        lines = [json.loads(line) for line in self.journal.read_text().splitlines()]
        for line in lines:
            line["run"] = str(Path(line["run"]).relative_to(self.work_dir))
        return lines


def write_annotations(
    path: Path, performers: int = 10, classes: int = 10, views: int = 3
) -> None:
    """Writes the names and labels of a data set like NW-UCLA, without skeletons."""
    items = [
        {
            "frame_dir": f"a{label + 1:02d}_s{performer:02d}_e00_v{view:02d}",
            "label": label,
        }
        for label in range(classes)
        for performer in range(1, performers + 1)
        for view in range(1, views + 1)
    ]
    names = [str(item["frame_dir"]) for item in items]
    split = {
        "xview_train": [name for name in names if not name.endswith("v03")],
        "xview_val": [name for name in names if name.endswith("v03")],
    }
    path.write_bytes(pickle.dumps({"split": split, "annotations": items}))
