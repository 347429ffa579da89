"""A project whose trainings take no time: configs, and tools that play their part."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

CONFIG = """
model = dict(
    backbone=dict(type="CTRGCN", graph_cfg=dict(layout="nw-ucla")),
    text_branch=dict(
        prompts=dict(preset="synonym+parts4"),
        encoder=dict(type="OpenCLIPTextEncoder", model="ViT-B-32", pretrained="openai",
                     frozen=False),
        loss=dict(loss_weight=0.8),
    ),
)
data = dict(ann_file="nwucla.pkl", split="xview_train")
train_dataloader = dict(
    batch_size=4, dataset=dict(type="RepeatDataset", times=2, dataset=data)
)
val_dataloader = dict(dataset=dict(ann_file="nwucla.pkl", split="xview_val"))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=20, val_interval=5)
param_scheduler = dict(type="MultiStepLR", begin=0, end=20, milestones=[16, 18])
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.1))
auto_scale_lr = dict(base_batch_size=4)
"""
TRAIN = """
import argparse, json, os, pathlib, re, runpy, time

parser = argparse.ArgumentParser()
parser.add_argument("config")
parser.add_argument("--work-dir", type=pathlib.Path)
parser.add_argument("--seed")
parser.add_argument("--resume", action="store_true")
args = parser.parse_args()


def tell(**line):
    with open(os.environ["FAKE_JOURNAL"], "a") as stream:
        stream.write(json.dumps({"run": str(args.work_dir.parent), **line}) + "\\n")


last, first = args.work_dir / "last_checkpoint", 1
if args.resume and last.is_file():
    first = int(re.search(r"epoch_(\\d+)", last.read_text())[1]) + 1
tell(start=first, pid=os.getpid())
if os.environ.get("FAKE_FAIL", "nothing") in str(args.work_dir):
    raise ValueError("the loss is not finite")
args.work_dir.mkdir(exist_ok=True)
for epoch in range(first, runpy.run_path(args.config)["train_cfg"]["max_epochs"] + 1):
    (args.work_dir / f"epoch_{epoch}.pth").write_text("weights")
    last.write_text(f"epoch_{epoch}.pth")
    tell(epoch=epoch)
    if os.environ.get("FAKE_HANG", "nothing") in str(args.work_dir) and epoch == 2:
        time.sleep(600)
"""
# Of 10 samples 5 and as many as the seed says are right.
TEST = """
import json, os, pickle, re, sys

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
    stream.write(json.dumps({"run": os.path.dirname(scores), "test": True}) + "\\n")
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
        for name in ("", "_cpu", "_bone", "_joint-motion", "_bone-motion"):
            (configs / f"ctrgcn_nwucla{name}.py").write_text(CONFIG)
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
        text = self.journal.read_text() if self.journal.is_file() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            line["run"] = str(Path(line["run"]).relative_to(self.work_dir))
        return lines


def write_annotations(path: Path, performers: int = 10, classes: int = 10) -> None:
    """Writes the names and labels of a data set like NW-UCLA, without skeletons."""
    items = [
        {"frame_dir": f"a{label + 1:02d}_s{who:02d}_e00_v{view:02d}", "label": label}
        for label in range(classes)
        for who in range(1, performers + 1)
        for view in (1, 2, 3)
    ]
    split: dict[str, list[Any]] = {"xview_train": [], "xview_val": []}
    for item in items:
        name = str(item["frame_dir"])
        split["xview_val" if name.endswith("v03") else "xview_train"].append(name)
    path.write_bytes(pickle.dumps({"split": split, "annotations": items}))
